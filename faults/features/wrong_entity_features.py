from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from faults.base import Fault, FaultParams
from faults.views import ViewName
from sandbox.base.features import ITEM_STATS, VIEWS, Rows
from services.skeleton.seams import Call, Proceed


class WrongEntityFeatures(Fault):
    """Read rows of one view under keys that belong to another entity, and serve them as the right ones.

    A key is cut short, so that all who share what is left of it get one row, or the answer to a batch is taken
    up some places off. Nothing is missing and nothing is late. Precedent: a row that matched and was returned as
    present although it belonged to another entity (Feast #6488).
    """

    name = "wrong-entity-features"
    layer = "features"
    seam = "fetch"
    services = ("features",)
    moves = "CTR; entities of which the same row is served; values served against those computed for the entity"
    stays = "missing and expired rows; ages; spread of each feature's values; latency; errors"
    look_alikes = ("embedding-index-version-skew", "feature-contract-break", "session-stream-lag")
    repairs = "start the features service with the right keys; echo the entity in the row and compare"

    class Params(FaultParams):
        view: ViewName = Field("user_profile", description="view whose rows are mixed up")
        mode: Literal["truncate_key", "offset_batch"] = Field(
            "truncate_key", description="keys lose their last digits, or a batch's answer is read at an offset"
        )
        digits: int = Field(1, ge=1, le=6, description="that a key loses (truncate_key)")
        offset: int = Field(1, ge=1, le=199, description="places by which a batch's rows are off (offset_batch)")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        del patches
        if params.mode == "offset_batch" and VIEWS[params.view].entity != ITEM_STATS.entity:
            return f"view: rows of {params.view} are read one at a time, so that nothing can be off by places"
        return None

    async def around(self, call: Call, proceed: Proceed) -> Any:
        view, ids = self.params.view, call.payload.get(self.params.view)
        if ids is None:
            return await proceed(call)
        if self.params.mode == "truncate_key":
            short = ids // 10**self.params.digits
            return await proceed(replace(call, payload={**call.payload, view: short}))
        answer = await proceed(call)
        return {**answer, view: _rolled(answer[view], self.params.offset)}


def _rolled(rows: Rows, offset: int) -> Rows:
    """Each place with the row that belongs so many places further on."""
    return Rows(*(np.roll(part, -offset, axis=0) for part in (rows.values, rows.event_ts, rows.status, rows.run)))
