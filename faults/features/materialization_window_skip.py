from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from faults.views import BATCH, BatchViewName
from sandbox.base.clock import DAY_S
from sandbox.base.jobs import JobRun
from services.skeleton.seams import Call, Proceed


class MaterializationWindowSkip(Fault):
    """Have the runs of one view begin to read where a watermark says, and the watermark stand past what came in.

    Each run is green and quick: its window is empty, or nearly so, and of no input no rows are due. What was written
    last keeps being served, and starting the job again only reads the same watermark. Precedent: Feast #4222, a run
    with an end in the future after which incremental runs begin there, and #2905, an apply that sets anew from when on
    is read.
    """

    name = "materialization-window-skip"
    layer = "features"
    seam = "job"
    services = ("materialiser",)
    moves = "begin of the window of the view's runs; rows that they read and write, to about none; age of its rows"
    stays = "statuses and number of runs; the other views; values at first; latency; errors"
    look_alikes = ("materialization-stalled", "event-drop-mnar", "replica-lag-stale-read")
    repairs = "set the watermark back and run once for what was passed over; a run that writes no rows is no success"

    class Params(FaultParams):
        view: BatchViewName = Field("item_stats", description=f"view whose runs they are: {' or '.join(BATCH)}")
        jump_s: float = Field(
            0.0, ge=-1_800, le=30 * DAY_S,
            description="where the window begins, world s past its end; 0: at its end, which each apply sets it to; "
            "below 0: before its end, and what came in since is written",
        )  # fmt: skip

    async def around(self, call: Call, proceed: Proceed) -> Any:
        if call.peer != self.params.view:
            return await proceed(call)
        job: JobRun = call.payload
        return await proceed(replace(call, payload=replace(job, since=job.until + self.params.jump_s)))
