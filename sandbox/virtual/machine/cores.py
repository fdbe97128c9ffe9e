"""Processes and the processor cores that they share: where work queues up.

A process does one thing at a time, and needs a core for it. Whoever gives a core or its turn up hands it to
the first in line, who goes on at the same moment, after all that was already due then.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from sandbox.base.instances import instance_of, service_of
from sandbox.virtual.machine.loop import Loop, Signal, Task
from services.skeleton.gate import Gate
from services.skeleton.room import Room

SLICE_S = 0.003  # that one may run before another gets its turn, where there are more than cores


@dataclass
class Process:
    """One process. name: as sandbox.base.instances names it. busy_s: work done since the last sample; run_wait_s: so long
    it was ready to work and had no core; throttled_s: so long its quota held it; collector_s: so long its garbage
    collector worked; n_switched: times another took its core. handlers: of its pool, that can be taken at once.
    waiting: for one of them. room: what it has where something is put on its point `process`, else None. gate: where
    there is a limit on calls in flight."""

    name: str
    handlers: int = 64
    service: str = ""
    instance: str = ""
    room: Room | None = None
    gate: Gate | None = None
    down_until: float = 0.0
    running: bool = False
    inflight: int = 0
    busy_s: float = 0.0
    run_wait_s: float = 0.0
    throttled_s: float = 0.0
    collector_s: float = 0.0
    n_switched: int = 0
    started: float = 0.0
    bursts: deque[Burst] = field(default_factory=deque)
    waiting: deque[Signal] = field(default_factory=deque)
    period: int = -1  # of its quota, that it worked in last
    used_s: float = 0.0  # of its quota in that period

    def __post_init__(self) -> None:
        self.service, self.instance = service_of(self.name), instance_of(self.name)

    def sampled(self) -> None:
        """Counts begin anew."""
        self.busy_s = self.run_wait_s = self.throttled_s = self.collector_s = 0.0
        self.n_switched = 0


Burst = tuple[Task, Process, float]  # whose work, where, core seconds


class Cores:
    """All cores of the machine. n: how many. neighbours: cores' worth of work that others have for them."""

    def __init__(self, n: float, loop: Loop) -> None:
        self.n, self.loop, self.neighbours = n, loop, 0.0
        self._taken, self._line = 0, deque[tuple[Burst, float]]()  # who waits for one, and since when

    def line_up(self, process: Process, seconds: float) -> bool:
        """The running task wants to work for so long. True: it has to `yield`, and goes on when that is done;
        False: it takes no time, and nobody is in the way."""
        task = self.loop.running
        assert task is not None, "only a task of the loop can work"
        burst = task, process, seconds
        if process.running:
            process.bursts.append(burst)
        elif not seconds and self._taken < self.n:
            return False
        else:
            process.running = True
            self._take_core(burst)
        return True

    def _take_core(self, burst: Burst) -> None:
        if self._taken >= self.n:
            self._line.append((burst, self.loop.now))
        else:
            self._taken += 1
            self._begin(burst)

    def _begin(self, burst: Burst) -> None:
        _, process, seconds = burst
        if not seconds:
            self._end(burst)
        elif self.neighbours or process.room is not None:
            self._begin_held_up(burst)
        else:
            self.loop.then(self.loop.now + seconds, self._end, burst)

    def _end(self, burst: Burst) -> None:
        loop, (task, process, seconds) = self.loop, burst
        process.busy_s += seconds
        self._give_core_up()
        if process.bursts:  # `running` stays true for the next one
            loop.then(loop.now, self._take_core, process.bursts.popleft())
        else:
            process.running = False
        loop.go_on(task)

    def _give_core_up(self) -> None:
        if self._line:  # the core changes hands
            burst, since = self._line.popleft()
            burst[1].run_wait_s += self.loop.now - since
            self.loop.then(self.loop.now, self._begin, burst)
        else:
            self._taken -= 1

    # -- where others, or a quota, hold it up ----------------------------------------------------------

    def _begin_held_up(self, burst: Burst) -> None:
        """Everybody who wants a core gets the same part of it, and nobody more than the quota leaves."""
        task, process, seconds = burst
        run_s = min(seconds, self._left_s(process))
        took_s = run_s * max(1.0, (self._taken + self.neighbours) / self.n)
        process.run_wait_s += took_s - run_s
        process.n_switched += round((took_s - run_s) / SLICE_S)
        process.used_s += run_s
        if run_s < seconds:
            self.loop.then(self.loop.now + took_s, self._stand_still, (task, process, run_s, seconds))
        else:
            self.loop.then(self.loop.now + took_s, self._end, burst)

    def _left_s(self, process: Process) -> float:
        """Of its quota in the period at hand."""
        room = process.room
        if room is None or room.quota is None:
            return math.inf
        period = math.floor(self.loop.now / room.period_s + 1e-9)
        if period != process.period:
            process.period, process.used_s = period, 0.0
        return max(0.0, room.quota * room.period_s - process.used_s)

    def _stand_still(self, held: tuple[Task, Process, float, float]) -> None:
        """The quota is used up: the rest is done from the next period on, and others may have the core."""
        task, process, run_s, seconds = held
        process.busy_s += run_s
        self._give_core_up()
        period_s = process.room.period_s if process.room is not None else 0.0
        begins = (process.period + 1) * period_s
        process.throttled_s += max(0.0, begins - self.loop.now)
        self.loop.then(begins, self._take_core, (task, process, seconds - run_s))
