"""Clocks are handed in. Two roles that are never added up: `world` (when things happen) and `wall`
(how long a call takes). Logic asks the clock it was given and no other; only this module sleeps."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
import types
from collections.abc import Coroutine, Generator
from contextlib import suppress
from typing import Any, Protocol

DAY_S = 86_400.0


class Clock(Protocol):
    """Seconds, from whatever origin the clock documents."""

    def now(self) -> float: ...
    async def wait_until(self, when: float) -> None: ...


class WallClock:
    """Real seconds, monotonic: for latencies and deadlines."""

    def now(self) -> float:
        return time.monotonic()

    async def wait_until(self, when: float) -> None:
        await asyncio.sleep(max(0.0, when - self.now()))


class WorldClock:
    """World seconds since the Unix epoch, running `speed` times as fast as real ones.

    All processes of a run are built from the same (world_start, wall_start, speed), so they agree.
    world_start: world seconds since the epoch when the run began. wall_start: `time.time()` then.
    """

    def __init__(self, world_start: float, wall_start: float, speed: float) -> None:
        self.world_start, self.wall_start, self.speed = world_start, wall_start, speed

    def now(self) -> float:
        return self.world_start + (time.time() - self.wall_start) * self.speed

    async def wait_until(self, when: float) -> None:
        await asyncio.sleep(max(0.0, (when - self.now()) / self.speed))


def iso(ts: float) -> str:
    """World time as documents tell it: 2026-03-01T10:20:00Z. ts: world seconds since the epoch."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ts))


@types.coroutine
def _park(when: float) -> Generator[float, None, None]:
    yield when


class VirtualClock:
    """World seconds in which nobody waits: runs coroutines in order of time and jumps every gap."""

    def __init__(self, start: float = 0.0) -> None:
        self._now, self._order = start, itertools.count()
        self._queue: list[tuple[float, int, Coroutine[Any, Any, Any]]] = []

    def now(self) -> float:
        return self._now

    async def wait_until(self, when: float) -> None:
        await _park(max(when, self._now))

    def spawn(self, task: Coroutine[Any, Any, Any]) -> None:
        self._wake(task, self._now)

    def run(self) -> None:
        while self._queue:
            self._now, _, task = heapq.heappop(self._queue)
            with suppress(StopIteration):
                self._wake(task, when=task.send(None))

    def _wake(self, task: Coroutine[Any, Any, Any], when: float) -> None:
        heapq.heappush(self._queue, (when, next(self._order), task))  # ties: first come
