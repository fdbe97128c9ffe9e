from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from faults.views import BATCH, BatchViewName
from sandbox.base.jobs import JobRun
from services.skeleton.seams import Call, Proceed


class BatchJobCollision(Fault):
    """Have the run of a batch job go through the past again, at full speed, beside those who serve.

    Its rows are packed on a core that serving shares, and written by commands during which the store answers
    nobody else. Precedent: a one-off backfill that overloaded what it shared with serving (LiftIgniter, 2025).
    """

    name = "batch-job-collision"
    layer = "platform"
    seam = "job"
    services = ("materialiser",)
    moves = "p99 of all requests while the job runs, and only then; processor time of the job; rows written by its run"
    stays = "traffic; versions; values served; latency before the job begins and after it has ended"
    look_alikes = ("flash-crowd", "cpu-starvation", "rpc-edge-latency")
    repairs = "stop the job; give it a pace, an hour when nobody comes, or a machine of its own"

    class Params(FaultParams):
        view: BatchViewName = Field("user_profile", description=f"view whose run it is: {' or '.join(BATCH)}")
        passes: int = Field(
            200, ge=1, le=5_000, description="times that every row is written, one for each day gone through"
        )
        rows_per_write: int = Field(20_000, ge=500, le=100_000, description="rows of one command to the store")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        del patches
        if JobRun(params.view, 0.0, params.passes, params.rows_per_write).usual:
            return "passes: a run that writes every row once, in pieces, is one of every day"
        return None

    async def around(self, call: Call, proceed: Proceed) -> Any:
        if call.peer != self.params.view:
            return await proceed(call)
        job = replace(call.payload, passes=self.params.passes, rows_per_write=self.params.rows_per_write)
        return await proceed(replace(call, payload=job))
