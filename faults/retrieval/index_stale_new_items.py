from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync


class IndexStaleNewItems(Fault):
    """Build an index of a list of items that ended some time ago: what came out since cannot be found by its vector.

    Nothing fails and the index finds all that it holds. Precedent: recent updates of a catalogue that were not pulled
    in (LiftIgniter's status page, February 2025).
    """

    name = "index-stale-new-items"
    layer = "retrieval"
    seam = "index_rows"
    needs = ("retrieval.index_version",)
    moves = "ntotal of the index; ages of what the search proposes; share of places that new items get"
    stays = "the probe of the index against its own vectors; clicks on older items; versions; errors; latency"
    look_alikes = ("stale-partition-reused", "position-bias-untreated", "sensitivity-overblock")
    repairs = "build the index anew of all items; alarm on the newest item in it"

    class Params(FaultParams):
        paused_h: float = Field(24.0, gt=0, le=10_000, description="hours since the list of items ended, world hours")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        rows, published_ts = call.payload, call.attributes["published_ts"]
        listed = published_ts[rows.ids] <= call.attributes["now"] - self.params.paused_h * 3_600
        return proceed(replace(call, payload=rows.take(listed)))
