"""A discrete-event loop: coroutines in wall seconds that nobody waits for.

Time jumps from event to event; events of one moment run in the order in which they were made, so
that a run is the same every time. Two clocks look at it: `Wall` (seconds since the run began) and
`World` (world seconds since the epoch). Faults and services await the same clocks as on the live stack.
"""

from __future__ import annotations

import heapq
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

_Wait = tuple[str, Any, float]
Routine = Coroutine[Any, Any, Any]


@types.coroutine
def _suspend(wait: _Wait) -> Generator[_Wait, Any, Any]:
    return (yield wait)


class Signal:
    """Something that happens once; whoever waits for it goes on then."""

    __slots__ = ("fired", "value", "waiting")

    def __init__(self) -> None:
        self.fired = False
        self.value: Any = None
        self.waiting: list[list[Any]] = []  # [task or None]: None once it gave up


class Task:
    """A coroutine that runs by itself. done: fires with (value, error) when it ends."""

    __slots__ = ("cancelled", "done", "routine")

    def __init__(self, routine: Routine) -> None:
        self.routine, self.done, self.cancelled = routine, Signal(), False


class Loop:
    """now: wall seconds since the run began."""

    def __init__(self) -> None:
        self.now = 0.0
        self._n = 0
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def at(self, when: float, do: Callable[..., None], *arguments: Any) -> None:
        """Calls `do` at that time, at once when it is past."""
        self._n += 1
        heapq.heappush(self._queue, (max(when, self.now), self._n, do, arguments))

    def spawn(self, routine: Routine) -> Task:
        """Starts a coroutine; it runs up to its first wait before this returns."""
        task = Task(routine)
        self._step(task, None)
        return task

    def cancel(self, task: Task) -> None:
        """Ends it where it waits; nobody who waits for it is told."""
        task.cancelled = True
        task.routine.close()

    def fire(self, signal: Signal, value: Any = None) -> None:
        """Lets everybody who waits for the signal go on, in the order in which they came."""
        if signal.fired:
            return
        signal.fired, signal.value = True, value
        for waiter in signal.waiting:
            if waiter[0] is not None:
                self.at(self.now, self._step, waiter[0], True)
                waiter[0] = None
        signal.waiting.clear()

    async def sleep_until(self, when: float) -> None:
        if when > self.now:
            await _suspend(("until", None, when))

    async def wait(self, signal: Signal, until: float = float("inf")) -> bool:
        """True once the signal has fired, False when `until` came first."""
        if signal.fired:
            return True
        if until <= self.now:
            return False
        fired: bool = await _suspend(("signal", signal, until))
        return fired

    def run_until(self, when: float) -> None:
        """Does all that is due up to and including that time."""
        queue = self._queue
        while queue and queue[0][0] <= when:
            self.now, _, do, arguments = heapq.heappop(queue)
            do(*arguments)
        self.now = max(self.now, when)

    def _step(self, task: Task, value: Any) -> None:
        if task.cancelled:
            return
        try:
            kind, signal, until = task.routine.send(value)
        except StopIteration as end:
            self.fire(task.done, end.value)
            return
        if kind == "until":
            self.at(until, self._step, task, None)
            return
        waiter = [task]
        signal.waiting.append(waiter)
        if until < float("inf"):
            self.at(until, self._give_up, waiter)

    def _give_up(self, waiter: list[Any]) -> None:
        task, waiter[0] = waiter[0], None
        if task is not None:
            self._step(task, False)


class Wall:
    """sandbox.base.clock.Clock of the loop: wall seconds since the run began."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.now

    async def wait_until(self, when: float) -> None:
        await self._loop.sleep_until(when)


class World:
    """The same in world seconds since the epoch. speed: world seconds per wall second."""

    def __init__(self, loop: Loop, began_ts: float, speed: float) -> None:
        self._loop, self.began_ts, self.speed = loop, began_ts, speed

    def now(self) -> float:
        return self.began_ts + self._loop.now * self.speed

    def wall(self, ts: float) -> float:
        """The loop's time at a world time."""
        return (ts - self.began_ts) / self.speed

    async def wait_until(self, when: float) -> None:
        await self._loop.sleep_until(self.wall(when))
