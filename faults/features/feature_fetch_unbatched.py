from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from sandbox.base.config import GatewayConfig
from services.skeleton.seams import Call, ProceedSync


class FeatureFetchUnbatched(Fault):
    """Release a feature client that reads rows a few at a time, one store round trip after the other.

    Precedent: the N+1 pattern; Redis' latency guide, by which the round trip is most of a command's cost.
    """

    name = "feature-fetch-unbatched"
    layer = "features"
    seam = "release"
    moves = "store calls per request and keys per call; p50 and p99 of all requests; store commands per second"
    stays = "duration of one store call; the gap between client and server spans; volume of requests"
    look_alikes = ("rpc-edge-latency", "flash-crowd", "redis-key-hotspot")
    repairs = "revert the feature client, so that rows are read in one round trip again"

    class Params(FaultParams):
        batch_size: int = Field(1, ge=1, le=200, description="rows of one round trip")

    @classmethod
    def idle(cls, params: Any, patches: Mapping[str, Mapping[str, Any]]) -> str | None:
        asked = patches.get("gateway", {}).get("n_candidates", GatewayConfig().n_candidates)
        if params.batch_size >= asked:
            return f"batch_size: a request reads {asked} rows, so one round trip is enough"
        return None

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        release = call.payload.patched("features", "fetch_batch", self.params.batch_size)
        return proceed(replace(call, payload=release))
