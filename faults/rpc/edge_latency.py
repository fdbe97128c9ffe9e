from __future__ import annotations

from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Proceed


class EdgeLatency(Fault):
    """Delay one caller->callee edge, between the client stub and the callee's handler.

    Precedent: the latency toxic of Toxiproxy's README; Envoy's fault filter.
    """

    name = "rpc-edge-latency"
    layer = "rpc"
    seam = "rpc"
    services = ("gateway", "retrieval", "ranking")
    moves = "gateway p50 and p99; the client span of the edge; fallbacks once the deadline is crossed"
    stays = "the callee's own handler time, its CPU and pool queue; other callers of the callee"
    look_alikes = ("server-pool-starved", "feature-fetch-unbatched", "redis-key-hotspot")
    repairs = "take the other network path; tighten the edge's deadline so that its fallback answers"

    class Params(FaultParams):
        delay_ms: float = Field(40.0, gt=0, le=400, description="added to each call hit, ms")
        jitter_ms: float = Field(0.0, ge=0, le=200, description="uniform addition of up to this much, ms")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        delay_ms = self.params.delay_ms
        if self.params.jitter_ms:
            delay_ms += self.params.jitter_ms * self.draw(call.place)
        await self.wall.wait_until(self.wall.now() + delay_ms / 1000)
        return await proceed(call)
