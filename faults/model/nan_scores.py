from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Place, Proceed


class NanScores(Fault):
    """Rows of the ranker's item embedding hold NaN in the model server's memory, and so do the scores of those items.

    What comes of it is ranking's affair: by default one of them costs the whole list its scores, and where such
    scores pass, their items stand last and are shown to nobody. Precedent: NaN in vectors and queries (faiss #244);
    the NaN monitor of the ML Test Score (Breck et al., 2017).
    """

    name = "nan-scores"
    layer = "model"
    seam = "model"
    services = ("model",)
    moves = "scores that are no numbers; with the guard fallbacks of ranking, without it exposure of the items; CTR"
    stays = "latency; errors; versions; averages that skip NaN"
    look_alikes = ("default-masks-error", "bad-model-promoted", "feature-contract-break")
    repairs = "load the model anew (restart, or another version); drop the item and not the list; check what is loaded"

    class Params(FaultParams):
        item_share: float = Field(0.05, gt=0, le=1, description="of the catalogue whose row is spoilt, 0..1")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._spoilt: dict[int, bool] = {}

    async def around(self, call: Call, proceed: Proceed) -> Any:
        scores = await proceed(call)
        if call.op != "Score":
            return scores
        items = call.payload[1].tolist()
        bad = np.fromiter(map(self._is_spoilt, items), bool, len(items))
        return np.where(bad[:, None], np.float32(np.nan), scores)

    def _is_spoilt(self, item: int) -> bool:
        if item not in self._spoilt:
            self._spoilt[item] = self.draw(Place(item=item)) < self.params.item_share
        return self._spoilt[item]
