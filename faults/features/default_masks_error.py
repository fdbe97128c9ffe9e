from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from faults.base import Fault, FaultParams
from faults.views import ViewName
from sandbox.base.features import FeatureView, Rows, Status
from services.skeleton.seams import Call, Proceed


class DefaultMasksError(Fault):
    """Have fetches of one view fail, and the client pass a legal value off as what it was to read.

    The part of the store that is asked for them does not answer; the client catches the error, fills a row with
    one value and marks it present, as of now. Precedent: a service whose error code -1 was taken for a value and
    trained on (Breck et al., "Data validation for machine learning").
    """

    name = "default-masks-error"
    layer = "features"
    seam = "fetch"
    services = ("features",)
    moves = "share of one exact value in features of the slice; keys of one read; CTR of the slice"
    stays = "missing and expired rows; statuses; errors; latency; everything outside the slice"
    look_alikes = ("wrong-entity-features", "feature-contract-break", "materialization-stalled")
    repairs = "start the client without the stand-in: a typed miss, and an alarm on the share of one value"

    class Params(FaultParams):
        view: ViewName = Field("item_stats", description="view whose fetches fail")
        value: float = Field(0.0, ge=-1, le=1, description="what every column of such a row is filled with")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        name = self.params.view
        if name not in call.payload:
            return await proceed(call)
        others = {view: ids for view, ids in call.payload.items() if view != name}
        read = await proceed(replace(call, payload=others)) if others else {}
        return {**read, name: self._made_up(call.attributes["views"][name], len(call.payload[name]))}

    def _made_up(self, view: FeatureView, n: int) -> Rows:
        """n rows that look as if they had just been read."""
        return Rows(
            np.full((n, len(view.columns)), self.params.value, np.float32),
            np.full(n, self.world.now()),
            np.full(n, Status.PRESENT, np.uint8),
            np.zeros(n, np.uint64),
        )
