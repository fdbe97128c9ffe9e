from __future__ import annotations

from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, ProceedSync


class FlashCrowd(Fault):
    """Bring many more visits of the usual users, each of them as real as any.

    Whether the stack can bear it is the stack's affair: queues, deadlines and fallbacks do what they do.
    Precedent: Allegro's campaign of 2018 (danluu's list of post-mortems).
    """

    name = "flash-crowd"
    layer = "traffic"
    seam = "traffic"
    services = ("load",)
    moves = "requests and users per minute; saturation; p99; fallbacks once deadlines bite"
    stays = "work per request; requests per user; share of retries; clicks per slate"
    look_alikes = ("retry-storm-metastable", "bot-scrape-burst", "cache-stampede")
    repairs = "give up the dear stages first (fewer candidates, fallbacks), until the crowd has gone"

    class Params(FaultParams):
        multiplier: float = Field(2.0, gt=1, le=10, description="visits, as a multiple of the usual")

    def around_sync(self, call: Call, proceed: ProceedSync) -> Any:
        """call.payload: (start, end), world s. call.attributes: arrivals, which can draw more."""
        more = call.attributes["arrivals"].more(*call.payload, self.params.multiplier - 1, self.name)
        return proceed(call).with_(more)
