import asyncio

import pytest

from faults.arming import Spec, wrapper_for
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from sandbox.base.jobs import JobRun
from services.skeleton.points import MATERIALISER
from services.skeleton.seams import Call, Seams


def due(view):
    return Call("job", MATERIALISER, view, "run", position=2, payload=JobRun(view, until=1000.0))


def asked_of(armed, view):
    """What the job's own code is told to do."""
    told = []

    async def job(call):
        told.append(call.payload)
        return 1

    assert asyncio.run(armed.seam.run(due(view), job)) == 1
    return told[0]


def test_the_run_goes_through_the_past_in_large_commands(bench):
    armed = bench(fault="batch-job-collision", params={"passes": 30, "rows_per_write": 9_000})

    assert asked_of(armed, "user_profile") == JobRun("user_profile", 1000.0, passes=30, rows_per_write=9_000)


def test_the_run_of_another_view_is_as_ever(bench):
    assert asked_of(bench(fault="batch-job-collision"), "item_stats").usual


def test_unwrapped_the_next_run_is_as_ever(bench):
    armed = bench(fault="batch-job-collision")
    armed.seam.take_off(armed.armed)

    assert asked_of(armed, "user_profile").usual


def test_knobs_by_which_it_would_be_a_usual_run_are_refused():
    clock = VirtualClock()
    spec = Spec(fault="batch-job-collision").model_dump() | {"params": {"passes": 1, "rows_per_write": 500}}
    with pytest.raises(SandboxError) as caught:
        wrapper_for(spec, Seams(clock, clock), MATERIALISER)

    assert caught.value.kind.code == "FLT-002"
