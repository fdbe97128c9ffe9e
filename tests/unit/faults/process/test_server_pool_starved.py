"""A full pool: the slow method's calls keep their handlers, and everybody waits."""

import pytest

from faults.arming import wrapper_for
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from sandbox.drill.scenario.scenario import Step
from services.skeleton.room import Room
from services.skeleton.seams import Call, Place, Seams

USUAL = Room(64)


def room(bench, usual=USUAL, **params):
    armed = bench(fault="server-pool-starved", params=params, seed=3)
    return armed.pass_on(Call("process", "features", "features", "tick", payload=usual))


def test_the_process_has_fewer_handlers_and_never_more_than_before(bench):
    assert room(bench, max_handlers=6).handlers == 6
    assert room(bench, usual=Room(2), max_handlers=6).handlers == 2


def test_a_share_of_the_slow_methods_calls_keep_theirs(bench):
    held_s = room(bench, slow_ms=300, slow_share=0.25).held_s
    places = [Place(user, 7, depth) for user in range(200) for depth in range(20)]

    held = [held_s("GetItems", place) for place in places]

    assert set(held) == {0.0, 0.3}
    assert sum(s > 0 for s in held) / len(held) == pytest.approx(0.25, abs=0.035)  # 5 standard errors


def test_a_retry_meets_the_same_fate(bench):
    held_s, place = room(bench, slow_share=0.5).held_s, Place(5, 7, 1)

    assert len({held_s("GetItems", place) for _ in range(20)}) == 1


def test_other_methods_are_as_quick_as_ever(bench):
    held_s = room(bench, slow_share=1).held_s

    assert held_s("GetItems", Place(5)) == 0.3
    assert held_s("GetUser", Place(5)) == 0.0


def test_what_holds_a_handler_already_adds_up(bench):
    before = Room(64, lambda method, place: 0.1)

    assert room(bench, usual=before, slow_share=1).held_s("GetItems", Place(5)) == pytest.approx(0.4)


def test_taken_off_the_process_has_what_it_had(bench):
    armed = bench(fault="server-pool-starved")
    armed.seam.take_off(armed.armed)

    assert armed.pass_on(Call("process", "features", "features", "tick", payload=USUAL)) == USUAL


@pytest.mark.parametrize("knob", [{"slow_method": "Cook"}, {"slow_share": 0}, {"max_handlers": 0}])
def test_knobs_that_make_no_sense_are_refused(bench, knob):
    with pytest.raises(SandboxError, match="FLT-002"):
        bench(fault="server-pool-starved", params=knob)


def test_a_method_of_another_process_is_refused_where_it_is_armed_and_where_it_is_written():
    seams = Seams(VirtualClock(), VirtualClock())
    spec = {"fault": "server-pool-starved", "params": {"slow_method": "Score"}}

    assert wrapper_for(spec, seams, "model")[0] == "process"
    with pytest.raises(SandboxError, match="GetUser, GetConsent, GetItems"):
        wrapper_for(spec, seams, "features")
    with pytest.raises(ValueError, match="a method of features"):
        Step(at_s=1, target="features", fault={"name": spec["fault"], "params": spec["params"]})
