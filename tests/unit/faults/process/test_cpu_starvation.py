"""Less of the processor: a neighbour for all of the machine, a quota for one process."""

import pytest

from sandbox.base.errors import SandboxError
from services.skeleton.room import Room
from services.skeleton.seams import Call

USUAL = Room(64)


def tick(usual=USUAL):
    return Call("process", "ranking", "ranking", "tick", payload=usual)


def room(bench, usual=USUAL, **params):
    return bench(fault="cpu-starvation", params=params).pass_on(tick(usual))


def test_a_neighbour_does_so_many_cores_worth_of_work(bench):
    assert room(bench, cores=2.5) == Room(64, neighbours=2.5)


def test_neighbours_add_up(bench):
    assert room(bench, usual=Room(64, neighbours=1.0), cores=2).neighbours == 3.0


def test_a_quota_is_for_this_process_and_by_its_period(bench):
    assert room(bench, mode="quota", quota=0.08, period_ms=50) == Room(64, quota=0.08, period_s=0.05)


def test_of_two_quotas_the_smaller_holds(bench):
    assert room(bench, usual=Room(64, quota=0.05), mode="quota", quota=0.2).quota == 0.05


def test_in_pulses_it_comes_and_goes(bench):
    armed = bench(fault="cpu-starvation", onset={"shape": "pulses", "period_s": 60, "on_s": 20})

    def neighbours_at(at_s):
        armed.clock.spawn(armed.clock.wait_until(1000.0 + at_s))
        armed.clock.run()
        return armed.pass_on(tick()).neighbours

    assert [neighbours_at(s) for s in (0, 19, 21, 59, 61)] == [4, 4, 0, 0, 4]


def test_taken_off_the_process_has_what_it_had(bench):
    armed = bench(fault="cpu-starvation")
    armed.seam.take_off(armed.armed)

    assert armed.pass_on(tick()) == USUAL


@pytest.mark.parametrize("knob", [{"mode": "both"}, {"quota": 0}, {"cores": 0}, {"period_ms": 5}])
def test_knobs_that_make_no_sense_are_refused(bench, knob):
    with pytest.raises(SandboxError, match="FLT-002"):
        bench(fault="cpu-starvation", params=knob)
