"""A discrete-event loop: coroutines in wall seconds that nobody waits for.

Time jumps from event to event; events of one moment run in the order in which they were made, so
that a run is the same every time. Two clocks look at it: `Wall` (seconds since the run began) and
`World` (world seconds since the epoch). Faults and services await the same clocks as on the live stack.
"""

from __future__ import annotations

import math
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from heapq import heapify, heappop, heappush
from typing import Any

Routine = Coroutine[Any, Any, Any]
_Errors = type[Exception] | tuple[()]
_Do = Callable[[Any], None]
_Event = tuple[float, int, _Do, Any]  # when, which of all that were made, what to do with what

SPANS_PER_S = 32.0  # a power of two: a span's bounds are whole numbers of it to the last bit


class Signal:
    """Something that happens once; whoever waits for it goes on then."""

    __slots__ = ("fired", "value", "waiting")

    def __init__(self) -> None:
        self.fired = False
        self.value: Any = None
        self.waiting: list[Task] = []  # also those that gave up since


class Task(Signal):
    """A coroutine that runs by itself, and the signal that it has ended: value is what it returned,
    failure the error that it ended with, of the kind that was named when it began.

    waits_for: the signal that it stands still for, None where it sleeps, works or runs."""

    __slots__ = ("cancelled", "fails_with", "failure", "routine", "waits_for")

    def __init__(self, routine: Routine, fails_with: _Errors = ()) -> None:
        self.fired, self.value, self.waiting = False, None, []
        self.routine, self.fails_with, self.cancelled = routine, fails_with, False
        self.failure: Exception | None = None
        self.waits_for: Signal | None = None


class Loop:
    """now: wall seconds since the run began. running: the task whose coroutine runs, or ran last.

    What is due in the span of time at hand lies in a heap; what comes later lies unordered by span, and most
    of it is deadlines that nobody waits for by then. Source: Brown, "Calendar queues", CACM 1988.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.running: Task | None = None
        self._n = 0
        # What is made for the moment that it is made in comes after all that was due then: a queue will do.
        self._due: deque[tuple[_Do, Any]] = deque()
        self._soon: list[_Event] = []
        self._soon_until = 0.0  # end of the span at hand
        self._spans: dict[int, list[_Event]] = {}
        self._ahead: list[int] = []  # their numbers, a heap
        self._gives_up = self._give_up  # one object, to know deadlines by

    def at(self, when: float, do: Callable[..., None], *arguments: Any) -> None:
        """Calls `do` at that time, at once when it is past."""
        self.then(when, _call, (do, arguments))

    def then(self, when: float, do: _Do, argument: Any) -> None:
        """The same for one argument."""
        if when <= self.now:
            self._due.append((do, argument))
            return
        self._n += 1
        if when < self._soon_until:
            heappush(self._soon, (when, self._n, do, argument))
            return
        span = int(when * SPANS_PER_S)
        if (events := self._spans.get(span)) is None:
            events = self._spans[span] = []
            heappush(self._ahead, span)
        events.append((when, self._n, do, argument))

    def spawn(self, routine: Routine, fails_with: _Errors = ()) -> Task:
        """Starts a coroutine; it runs up to its first wait before this returns. fails_with: errors that it
        keeps for who waits for it; any other ends the run."""
        task, spawning = Task(routine, fails_with), self.running
        try:
            self.go_on(task)
        finally:
            self.running = spawning
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
        for task in signal.waiting:
            if task.waits_for is signal:
                task.waits_for = None
                self._due.append((self.go_on, task))
        signal.waiting.clear()

    @types.coroutine
    def sleep_until(self, when: float) -> Generator[None, None, None]:
        if when > self.now:
            self.then(when, self.go_on, self.running)
            yield

    @types.coroutine
    def wait(self, signal: Signal, until: float = math.inf) -> Generator[None, None, bool]:
        """True once the signal has fired, False when `until` came first."""
        if signal.fired:
            return True
        if until <= self.now:
            return False
        task = self.running
        assert task is not None, "only a task of this loop can wait"
        task.waits_for = signal
        signal.waiting.append(task)
        if until != math.inf:
            self.then(until, self._gives_up, (task, signal))
        yield
        return signal.fired

    def run_until(self, when: float) -> None:
        """Does all that is due up to and including that time."""
        due, soon = self._due, self._soon
        if when < self.now:
            return
        while True:
            while due:
                do, argument = due.popleft()
                do(argument)
            if not soon and not self._turn_to_next_span(when):
                break
            if soon[0][0] > when:
                break
            self.now, _, do, argument = heappop(soon)
            do(argument)
            while soon and soon[0][0] == self.now:
                _, _, do, argument = heappop(soon)
                do(argument)
        self.now = when

    def _turn_to_next_span(self, when: float) -> bool:
        """Takes up the next span in which something is to be done; False where none begins by then."""
        while self._ahead and self._ahead[0] <= when * SPANS_PER_S:
            span = heappop(self._ahead)
            self._soon_until = (span + 1) / SPANS_PER_S
            self._soon += (event for event in self._spans.pop(span) if not self._is_idle(event))
            if self._soon:
                heapify(self._soon)
                return True
        return False

    def _is_idle(self, event: _Event) -> bool:
        """Whether it is the deadline of one who no longer waits."""
        if event[2] is not self._gives_up:
            return False
        task, signal = event[3]
        return task.waits_for is not signal

    def go_on(self, task: Task) -> None:
        """Lets the task run up to its next wait. For what suspended it by a bare `yield`."""
        if task.cancelled:
            return
        self.running = task
        try:
            task.routine.send(None)
        except StopIteration as end:
            self.fire(task, end.value)
        except task.fails_with as failure:
            task.failure = failure
            self.fire(task)

    def _give_up(self, waiting: tuple[Task, Signal]) -> None:
        task, signal = waiting
        if task.waits_for is signal:
            task.waits_for = None
            self.go_on(task)


def _call(what: tuple[Callable[..., None], tuple[Any, ...]]) -> None:
    do, arguments = what
    do(*arguments)


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
