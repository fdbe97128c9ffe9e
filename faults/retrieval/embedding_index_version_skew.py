from __future__ import annotations

from dataclasses import replace
from typing import Any

from faults.base import Fault
from services.skeleton.seams import Call, ProceedSync


class EmbeddingIndexVersionSkew(Fault):
    """Roll out a user tower without the index that belongs to it: new queries search old vectors.

    Two trainings of one two-tower model share no coordinate system, so the search returns
    near-random items at full speed. Precedent: version skew in Pinterest's L1 CVR retrospective.
    """

    name = "embedding-index-version-skew"
    layer = "retrieval"
    seam = "release"
    needs = ("model.two_tower", "retrieval.index_version")
    moves = "CTR; spread of ann scores; the golden recall probe; coverage rises"
    stays = "latency; errors; the probe of the index against its own vectors"
    look_alikes = ("id-map-misalignment", "ann-recall-collapse", "wrong-entity-features")
    repairs = "put encoder and index back to one version: roll back the encoder, or swap in its index"

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        return proceed(replace(call, payload=call.payload.without("retrieval", "index_version")))
