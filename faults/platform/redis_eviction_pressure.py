from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Proceed

_DRAFT = bytes(64 * 1024)  # of one key


class RedisEvictionPressure(Fault):
    """Keep drafts of another job in the store that serves: once its memory is full, each new one pushes out whatever
    nobody has used for longest.

    Where any key may go (`allkeys-lru`), that is what is known of people who come seldom. Where keys with an end go
    (`volatile-lru`) the drafts push out each other, and where none may (`noeviction`) nobody writes any more.
    Precedent: Redis' page on eviction, by which one instance for a cache and for keys that must stay is to be avoided.
    """

    name = "redis-eviction-pressure"
    layer = "platform"
    seam = "store"
    services = ("materialiser",)
    moves = "evicted keys and memory at its limit; reads that find nothing, for users who come seldom; their CTR"
    stays = "users who come often; ages of the rows that are found; expired keys; backlog; median latency; errors"
    look_alikes = ("online-key-ttl-expiry", "session-stream-lag", "redis-key-hotspot")
    repairs = "stop the drafts, give memory, or let only keys go that have an end; rows come back as people act"

    class Params(FaultParams):
        mb_per_s: float = Field(5.0, gt=0, le=50, description="drafts written, MiB a wall s")
        lives_s: float = Field(3_600.0, ge=1, le=86_400, description="time to live of a draft, wall s")
        key: str = Field("draft", min_length=1, max_length=64, description="what their names begin with")

    async def around(self, call: Call, proceed: Proceed) -> Any:
        n = max(1, round(self.params.mb_per_s * 2**20 / len(_DRAFT)))
        lives_ms = round(self.params.lives_s * 1000)
        drafts = [("SET", f"{self.params.key}:{call.position}:{i}", _DRAFT, "PX", lives_ms) for i in range(n)]
        return await proceed(replace(call, payload=(*call.payload, *drafts)))
