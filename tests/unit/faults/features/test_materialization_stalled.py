import pytest
from pydantic import ValidationError

from faults.catalogue import fault_named
from sandbox.base.jobs import JobRun
from services.skeleton.points import MATERIALISER
from services.skeleton.seams import Call


def due(view, n=1):
    return Call("job", MATERIALISER, view, "run", position=n, payload=JobRun(view, until=1000.0))


def test_the_runs_of_one_view_are_not_started_and_those_of_others_are(bench):
    armed = bench(fault="materialization-stalled", params={"view": "item_stats"})

    assert armed.send(due("item_stats"), 10_000) == (None, 0)
    assert armed.send(due("user_profile"), 17_000) == (17_000, 0)


def test_a_share_of_the_runs_is_left_out_each_by_itself(bench):
    armed = bench(fault="materialization-stalled", share=0.5)

    started = [armed.send(due("item_stats", n), 10_000)[0] is not None for n in range(40)]

    assert 8 < sum(started) < 32


def test_unwrapped_the_next_run_starts(bench):
    armed = bench(fault="materialization-stalled")
    armed.seam.take_off(armed.armed)

    assert armed.send(due("item_stats"), 10_000) == (10_000, 0)


@pytest.mark.parametrize("view", ["user_session", "user_mood"])
def test_a_view_that_no_batch_job_writes_is_refused(view):
    with pytest.raises(ValidationError, match="a batch job writes"):
        fault_named("materialization-stalled").Params(view=view)
