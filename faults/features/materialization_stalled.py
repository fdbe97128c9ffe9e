from __future__ import annotations

from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from faults.views import BATCH, BatchViewName
from services.skeleton.seams import Call, Proceed


class MaterializationStalled(Fault):
    """No longer start the runs that write one view; what was written last keeps being served.

    Nothing fails: a run that never begins leaves no row, no error and no status. Precedent: rule 8 of Google's
    Rules of ML, to know how fresh features have to be; Feast #6821, a row past its time that was marked present.
    """

    name = "materialization-stalled"
    layer = "features"
    seam = "job"
    services = ("materialiser",)
    moves = "age of the view's rows, by a second a second; from its maximum age on, its expired rows; CTR, slowly"
    stays = "runs and ages of the other views; statuses of runs; values at first; latency; errors"
    look_alikes = ("session-stream-lag", "default-masks-error", "organic-preference-drift")
    repairs = "restart the batch job, which runs at once; alarm on the age served, not on the status of runs"

    class Params(FaultParams):
        view: BatchViewName = Field("item_stats", description=f"view that is no longer written: {' or '.join(BATCH)}")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        return None if call.peer == self.params.view else await proceed(call)
