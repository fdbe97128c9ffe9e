from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync


class IdMapMisalignment(Fault):
    """Build an index whose rows stand for other items: the right vector is found, and the wrong item shown.

    Scores are healthy and so is the search among its own rows; what is shown has nothing to do with the query. Precedent:
    ids of one's own that faiss does not keep (faiss#524), and counters that ran over (Strava 2014, Basecamp 2018).
    """

    name = "id-map-misalignment"
    layer = "retrieval"
    seam = "index_rows"
    needs = ("retrieval.index_version",)
    moves = "CTR; topics of what is shown beside those of the user; the golden recall probe"
    stays = "scores of the search and their spread; the probe of the index against its own vectors; versions; latency"
    look_alikes = ("embedding-index-version-skew", "wrong-entity-features", "bad-model-promoted")
    repairs = "build the index anew, or go back to the last one; then a test by which every item finds itself"

    class Params(FaultParams):
        offset: int = Field(1, ge=1, le=1_000_000, description="rows by which the ids are shifted, modulo all rows")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        rows = call.payload
        return proceed(replace(call, payload=replace(rows, ids=np.roll(rows.ids, self.params.offset))))
