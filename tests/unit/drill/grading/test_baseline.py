"""The answer without looking: found by program, and never by having seen the scenario it is held against."""

from __future__ import annotations

from dataclasses import replace

from sandbox.drill.grading.baseline import best_constant, blame_last_change, blind_answer, planned
from tests.unit.drill.scenes import scenario

LATENCY = scenario(
    id="latency",
    timeline=[
        {"at_s": 600, "target": "gateway", "change": {"key": "banner", "new": "autumn"}},
        {"at_s": 1200, "target": "gateway->features", "fault": {"name": "rpc-edge-latency"}},
    ],
    truth={"incident": True, "component": "gateway->features", "mechanism": "slow-edge", "onset_s": 1200},
    accept=["path caller=gateway callee=features path=b"],
)
ROLLOUT = scenario(
    id="rollout",
    timeline=[
        {"at_s": 2400, "target": "rules", "fault": {"name": "sensitivity-overblock"},
         "release": {"key": "sensitivity_list", "new": "sl-2", "patches": {"rules": {"sensitivity": {"version": "sl-2"}}}}},
    ],
    truth={"incident": True, "component": "sensitivity_list", "mechanism": "overblocking", "onset_s": 2400},
    accept=["set service=rules field=sensitivity value=sl-1"],
)  # fmt: skip
NULL = scenario(
    id="null",
    timeline=[{"at_s": 600, "target": "gateway", "change": {"key": "banner", "new": "autumn"}}],
    truth={"incident": False, "component": "none", "mechanism": "chance"},
    accept=[],
)


def test_the_constant_answer_follows_the_make_up_of_the_pack():
    loud = best_constant([LATENCY, LATENCY, NULL])
    quiet = best_constant([LATENCY, NULL, NULL, NULL])

    assert loud.incident
    assert (loud.component, loud.mechanism) == ("gateway->features", "slow-edge")
    assert loud.action == "path caller=gateway callee=features path=b"
    assert not quiet.incident


def test_the_scenario_itself_does_not_teach_the_answer_held_against_it():
    alone = blind_answer(LATENCY, planned(LATENCY), [LATENCY, ROLLOUT]).score
    known = best_constant([LATENCY]).score(LATENCY, planned(LATENCY))

    assert known > 0.9
    assert alone < 0.6


def test_blaming_the_last_change_is_right_where_the_last_change_was_the_cause():
    blame = blame_last_change([LATENCY, NULL])

    guess = blame(ROLLOUT, planned(ROLLOUT))

    assert guess is not None
    assert guess.component == "sensitivity_list"
    assert "set service=rules field=sensitivity value=sl-1" in guess.effects
    assert guess.score(ROLLOUT, planned(ROLLOUT)) >= 0.7, "all but the mechanism"
    assert blame(LATENCY, planned(LATENCY)).component == "gateway"


def test_without_a_change_before_the_page_there_is_nothing_to_blame():
    early = replace(planned(ROLLOUT), paged_s=1_000)

    assert blame_last_change([LATENCY])(ROLLOUT, early) is None


def test_the_same_pack_gives_the_same_answer():
    pack = [LATENCY, ROLLOUT, NULL]

    assert best_constant(pack) == best_constant(pack)
    assert blind_answer(ROLLOUT, planned(ROLLOUT), pack) == blind_answer(ROLLOUT, planned(ROLLOUT), reversed(pack))
