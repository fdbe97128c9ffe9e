from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Proceed

Source = Literal["ann", "covisit", "followed", "popular", "fresh"]


class CandidateSourceEmpty(Fault):
    """What a candidate source finds is lost on its way to the merge, as if there were nothing to find.

    The merge takes more of the others and fills up with what is popular, so slates are full and nobody calls it a
    fallback. Precedent: answers of status 200 of which only the fall-backs were left (recsys.app's runbook for
    empty recommendations).
    """

    name = "candidate-source-empty"
    layer = "retrieval"
    seam = "source"
    services = ("retrieval",)
    moves = "items of one source among the candidates and on the slates; the others' shares; coverage; CTR, a little"
    stays = "items per slate; candidates per request; errors; fallbacks; latency; versions"
    look_alikes = ("ann-recall-collapse", "group-underrepresented", "sensitivity-overblock")
    repairs = "restore the source; watch each source's share, and let the fill-up count as degraded"

    class Params(FaultParams):
        sources: tuple[Source, ...] = Field(("ann",), min_length=1, description="those whose items are lost")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        found = await proceed(call)  # it is asked, and its answer is lost on the way
        return (np.zeros(0, np.int64), np.zeros(0, np.float32)) if call.peer in self.params.sources else found
