"""The handlers of one process: so many calls at once, the others in line. Its size may change while calls wait."""

from __future__ import annotations

import asyncio
import time
from collections import deque


class Pool:
    """size: handlers. inflight: handlers taken, never more than there were when they were taken. waiting: calls in line."""

    def __init__(self, size: int) -> None:
        self.size, self.inflight = size, 0
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return sum(not turn.done() for turn in self._line)

    def resize(self, size: int) -> None:
        """Who waits is let in where it grew; where it shrank, handlers go as their calls end."""
        self.size = size
        self._let_in()

    async def enter(self) -> None:
        """Takes a handler, in the order of coming. Whoever is cancelled in line takes none."""
        if self.inflight < self.size and not self._line:
            self.inflight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came as the caller went
                self.leave()
            elif turn in self._line:
                self._line.remove(turn)
            raise

    def leave(self) -> None:
        self.inflight -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._line and self.inflight < self.size:
            turn = self._line.popleft()
            if not turn.done():
                self.inflight += 1
                turn.set_result(None)


class Turn:
    """One call's way through the pool."""

    __slots__ = ("_began", "_entered", "_free_at", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool, self._began = pool, time.perf_counter()
        self._entered = self._free_at = 0.0

    async def begin(self) -> None:
        await self._pool.enter()
        self._entered = time.perf_counter()

    async def hold(self, seconds: float) -> None:
        """Keeps the handler for so long, which is not free sooner because the caller went."""
        if seconds > 0:
            self._free_at = self._entered + seconds
            await asyncio.sleep(seconds)

    def end(self) -> float:
        """Gives the handler back. Returns wall seconds spent in line, also of one who gave up there."""
        now = time.perf_counter()
        if not self._entered:  # gave up in line, or stood in none
            return now - self._began
        if self._free_at > now:
            asyncio.get_running_loop().call_later(self._free_at - now, self._pool.leave)
        else:
            self._pool.leave()
        return self._entered - self._began
