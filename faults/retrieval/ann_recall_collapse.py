from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync


class AnnRecallCollapse(Fault):
    """Release a setting by which the vector search goes through too few lists of its inverted file.

    Neighbours in the other lists are missed, searches come back short, and they are quicker than ever.
    Precedent: the guide to faiss' parameters, by which nprobe trades recall for time (FAULTS.md).
    """

    name = "ann-recall-collapse"
    layer = "retrieval"
    seam = "release"
    moves = "recall of the probe against exact search; candidates per search; search time falls; CTR"
    stays = "versions of encoder and index; the other candidate sources; errors; ages of features"
    look_alikes = ("candidate-source-empty", "embedding-index-version-skew", "diversity-overcap")
    repairs = "search enough lists again, chosen by recall against time; or go back to exact search"

    class Params(FaultParams):
        nprobe: int = Field(1, ge=1, le=64, description="lists searched")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        release = call.payload.patched("retrieval", "nprobe", self.params.nprobe)
        return proceed(replace(call, payload=release))
