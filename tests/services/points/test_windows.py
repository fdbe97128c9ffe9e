"""Runs of the batch job whose window begins where a watermark says: the same on the live path and virtually."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from faults.arming import wrapper_for
from tests.services.points.live import live
from tests.services.points.virtual import Virtual

pytestmark = pytest.mark.timeout(300)

HOUR = 3_600.0


async def run_with(side, jump_s=None, view="item_stats"):
    """What a run leaves when the watermark of one view stands so far past its end: by view the row that notes it, and
    the row of item 7, which nobody has heard of and which was not there before."""
    await side.tell()  # of two items, and of the user
    side.forget()
    side.clear_items()
    seams = side.seams("materialiser")
    spec = {"fault": "materialization-window-skip", "params": {"view": view, "jump_s": jump_s or 0.0}}
    _, wrapper = wrapper_for(spec, seams, "materialiser")
    if jump_s is not None:
        seams.job.put(wrapper)
    status = await side.materialise()
    if jump_s is not None:
        seams.job.take_off(wrapper)
    assert status == "OK"
    return {row["view"]: row for row in side.rows("materialization_runs")}, side.item_row()


async def _all(side):
    return {
        "usual": await run_with(side),
        "at its end": await run_with(side, 0.0),
        "in the future": await run_with(side, 2 * HOUR),
        "a while before": await run_with(side, -600.0),
        "of the other view": await run_with(side, 0.0, "user_profile"),
        "after it": await run_with(side),
        "n_items": side.n_items(),
    }


@pytest.fixture(scope="module")
def on_live(tmp_path_factory: pytest.TempPathFactory) -> dict:
    async def play():
        async with live(tmp_path_factory.mktemp("live")) as side:
            return await _all(side)

    return asyncio.run(play())


@pytest.fixture(scope="module")
def on_virtual(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    side = Virtual(tmp_path_factory.mktemp("virtual") / "run")
    side.stack.advance(side.stack.now() + HOUR / 2)  # past the end of the history, which counts as heard of all
    return asyncio.run(_all(side))


@pytest.fixture(params=["on_live", "on_virtual"])
def seen(request) -> dict:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("case", ["at its end", "in the future"])
def test_a_run_whose_window_is_empty_is_green_and_writes_nothing(seen, case):
    runs, item = seen[case]

    note = runs["item_stats"]
    assert note["status"] == "OK"
    assert note["window_start"] >= note["window_end"]
    assert (note["rows_read"], note["rows_written"], note["source_max_event_ts"]) == (0, 0, None)
    assert item is None


@pytest.mark.parametrize("case", ["at its end", "in the future"])
def test_the_run_of_the_other_view_reads_and_writes_as_ever(seen, case):
    note, usual = seen[case][0]["user_profile"], seen["usual"][0]["user_profile"]

    assert note["rows_written"] == usual["rows_written"] > 0
    assert note["rows_read"] == 2
    assert note["window_end"] - note["window_start"] == 28 * 24 * HOUR


def test_a_window_that_is_short_leaves_the_rows_of_whom_was_heard_of_in_it(seen):
    runs, item = seen["a while before"]

    note = runs["item_stats"]
    assert note["window_end"] - note["window_start"] == pytest.approx(600)
    assert (note["status"], note["rows_read"], note["rows_written"]) == ("OK", 2, 2)
    assert note["source_max_event_ts"] is not None
    assert item is None, "its row was not due"


def test_of_users_it_holds_as_of_items(seen):
    runs, item = seen["of the other view"]

    assert (runs["user_profile"]["rows_read"], runs["user_profile"]["rows_written"]) == (0, 0)
    assert runs["item_stats"]["rows_written"] == seen["n_items"]
    assert item is not None


def test_the_run_after_it_writes_every_row_of_what_was_passed_over_too(seen):
    for case in ("usual", "after it"):
        runs, item = seen[case]
        assert runs["item_stats"]["rows_written"] == seen["n_items"]
        assert np.isfinite(item).all()
