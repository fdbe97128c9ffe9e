"""What a proof holds a scenario against: other scenarios of its fault, other actions, other faults."""

from __future__ import annotations

import pytest

from sandbox.drill.proof.alternatives import alternatives, averted
from sandbox.drill.proof.consistency import contradictions
from sandbox.drill.scenario import library, lookalikes
from tests.unit.drill.scenes import DOCUMENT, scenario

PACK = tuple(library.load_all().values())
LAG = scenario(id="lag")


def test_scenarios_of_one_fault_in_one_place_say_one_thing():
    other = scenario(id="other", truth={**DOCUMENT["truth"], "component": "user_session"},
                     penalise=["restart service=stream"], accept=["skip-backlog"])  # fmt: skip

    found = contradictions(LAG, [LAG, other])

    assert "the component is stream here and user_session in other, for one fault in one place" in found
    assert "`restart service=stream` is accepted in lag and penalised there (other)" in found
    assert contradictions(LAG, [LAG, scenario(id="twin")]) == []


def test_the_pack_contradicts_itself_nowhere():
    assert {s.id: found for s in PACK if (found := contradictions(s, PACK))} == {}


def test_other_actions_are_ways_back_restarts_and_what_is_accepted():
    found = alternatives(LAG)

    assert found[0] == "restart service=stream"
    assert {"rebuild-index", "skip-backlog"} <= set(found)
    assert not any("max_batch" in text for text in found), "that goes out after the onset"
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", [s.id for s in PACK if s.truth.incident])
def test_every_scenario_has_something_else_that_could_be_done(name):
    own = next(s for s in PACK if s.id == name)

    assert len(alternatives(own)) >= 3
    assert not any("*" in text for text in alternatives(own))


def test_what_an_action_averts_is_weighed_by_how_sure_the_harm_is():
    harms = {"clicks": (100.0, 4.0), "revenue": (50.0, 1.0), "p99_ms": (10.0, 8.0)}

    assert averted(harms, {"clicks": 0.0, "revenue": 50.0, "p99_ms": 0.0}, 2.0) == 1.0
    assert averted(harms, {"clicks": 100.0, "revenue": 0.0, "p99_ms": 10.0}, 2.0) == 0.0
    half = averted(harms, {"clicks": 0.0, "revenue": 50.0, "p99_ms": 10.0}, 2.0)
    assert half == pytest.approx(4 / 12)
    assert averted(harms, {"clicks": 900.0, "revenue": 0.0, "p99_ms": 90.0}, 2.0) == -1.0
    assert averted({"clicks": (100.0, 1.0)}, {"clicks": 0.0}, 2.0) is None


def test_a_look_alike_takes_the_place_of_the_fault_at_its_time():
    slow = next(s for s in PACK if s.id == "slow-home")
    found = lookalikes.donor("rpc-edge-latency", LAG, PACK)
    assert found is not None
    step, cause, _ = found

    variant = lookalikes.variant(LAG, step)

    assert cause.component == "gateway->features"
    assert [s.fault.name for s in variant.timeline if s.fault] == ["rpc-edge-latency"]
    assert [s.at_s for s in variant.timeline] == sorted(s.at_s for s in LAG.timeline)
    assert [d.step for d in lookalikes.meant("slow-edge", LAG, PACK)] == [step]
    assert lookalikes.meant("latency", slow, PACK) != [], "another of its family"
    assert lookalikes.meant("stream-lag", LAG, PACK) == [], "that is what it is"
    assert lookalikes.meant("position-bias", LAG, PACK) == [], "no scenario arms it"
