from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from faults.base import Fault, FaultParams
from services.skeleton.seams import Call, Proceed

_PUSHED = 10_000  # elements of one command by which the list is made


class RedisKeyHotspot(Fault):
    """Sort a huge list of the store again and again: a command whose time grows with its key holds one thread.

    The store does one thing at a time, so everybody who reads or writes waits for the end of it. Precedent: Redis'
    guide to latency, by which slow commands on large keys are what to look for first.
    """

    name = "redis-key-hotspot"
    layer = "platform"
    seam = "store"
    services = ("materialiser",)
    moves = "slow store calls of every caller at once, in bursts; rows of redis_slowlog with one key; p90 and p99"
    stays = "store calls per request; keys per call; quickest store calls; forks, evictions, memory; values served"
    look_alikes = ("rpc-edge-latency", "feature-fetch-unbatched", "batch-job-collision")
    repairs = "take back what sorts it; keep such a list short, or in order as it is written"

    class Params(FaultParams):
        key: str = Field("board:watched", min_length=1, max_length=64, description="name of the list")
        elements: int = Field(400_000, ge=10_000, le=800_000, description="that it has; about 0.2 µs of the store each")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_made = False

    async def around(self, call: Call, proceed: Proceed) -> Any:
        commands = [*call.payload, *self._made(), ("SORT", self.params.key, "LIMIT", 0, 10, "DESC")]
        done = await proceed(replace(call, payload=tuple(commands)))
        self._is_made = True
        return done

    def _made(self) -> list[tuple[Any, ...]]:
        """The commands by which the list comes to be, the first time."""
        if self._is_made:
            return []
        n, key = self.params.elements, self.params.key
        pushed = [("RPUSH", key, *range(at, min(at + _PUSHED, n))) for at in range(0, n, _PUSHED)]
        return [("LTRIM", key, 1, 0), *pushed]  # empty, should there be one
