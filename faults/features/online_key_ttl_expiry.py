from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Proceed


class OnlineKeyTtlExpiry(Fault):
    """Give every row that the stream processor writes an end, sooner than its user comes back.

    The store forgets the row by itself: who returns after a pause is read as somebody new, while who goes on without
    a pause renews the end by every event. Precedent: Feast's `key_ttl_seconds` (PR #2341), by which rows vanish that
    nobody refreshes (#3275, #4679).
    """

    name = "online-key-ttl-expiry"
    layer = "features"
    seam = "write"
    services = ("stream",)
    moves = "keys that the store expires; reads that find nothing, for users who come back; their repeats and CTR"
    stays = "evictions and memory; backlog; ages of the rows that are found; batch views; latency; errors"
    look_alikes = ("session-stream-lag", "materialization-stalled", "redis-eviction-pressure")
    repairs = "let the rows live longer than the pause after which people come back; restart the processor so"

    class Params(FaultParams):
        ttl_s: float = Field(1_200.0, ge=1, le=86_400, description="time to live of a row written, world s")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        return await proceed(replace(call, attributes={**call.attributes, "lives_s": self.params.ttl_s}))
