import asyncio

import pytest
from pydantic import ValidationError

from faults.catalogue import fault_named
from sandbox.base.jobs import JobRun
from services.skeleton.points import MATERIALISER
from services.skeleton.seams import Call


def due(view, n=1):
    return Call("job", MATERIALISER, view, "run", position=n, payload=JobRun(view, until=5_000.0))


def asked_of(armed, view, n=1):
    """What the job's own code is told to do."""
    told = []

    async def job(call):
        told.append(call.payload)
        return 0

    assert asyncio.run(armed.seam.run(due(view, n), job)) == 0
    return told[0]


@pytest.mark.parametrize(("jump_s", "since"), [(0.0, 5_000.0), (7_200.0, 12_200.0), (-600.0, 4_400.0)])
def test_the_run_begins_to_read_where_the_watermark_stands(bench, jump_s, since):
    armed = bench(fault="materialization-window-skip", params={"view": "item_stats", "jump_s": jump_s})

    assert asked_of(armed, "item_stats") == JobRun("item_stats", until=5_000.0, since=since)


def test_the_run_is_noted_as_what_it_wrote_and_takes_no_longer(bench):
    armed = bench(fault="materialization-window-skip")

    assert armed.send(due("item_stats"), 0) == (0, 0)


def test_the_runs_of_another_view_read_the_whole_window(bench):
    armed = bench(fault="materialization-window-skip", params={"view": "item_stats"})

    assert asked_of(armed, "user_profile") == JobRun("user_profile", until=5_000.0)


def test_a_share_of_the_runs_passes_over_its_input_each_by_itself(bench):
    armed = bench(fault="materialization-window-skip", share=0.5)

    skipped = [asked_of(armed, "item_stats", n).since is not None for n in range(40)]

    assert 8 < sum(skipped) < 32


def test_unwrapped_the_next_run_reads_the_whole_window_and_so_what_was_passed_over(bench):
    armed = bench(fault="materialization-window-skip")
    armed.seam.take_off(armed.armed)

    assert asked_of(armed, "item_stats").since is None


@pytest.mark.parametrize("view", ["user_session", "user_mood"])
def test_a_view_that_no_batch_job_writes_is_refused(view):
    with pytest.raises(ValidationError, match="a batch job writes"):
        fault_named("materialization-window-skip").Params(view=view)


@pytest.mark.parametrize("jump_s", [-3_600.0, 40 * 86_400.0])
def test_a_watermark_out_of_range_is_refused(jump_s):
    with pytest.raises(ValidationError, match="jump_s"):
        fault_named("materialization-window-skip").Params(jump_s=jump_s)
