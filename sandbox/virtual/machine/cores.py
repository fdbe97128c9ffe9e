"""Processes and the processor cores that they share: where work queues up.

A process does one thing at a time, and needs a core for it. Whoever gives a core or its turn up hands it to
the first in line, who goes on at the same moment, after all that was already due then.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sandbox.virtual.machine.loop import Loop, Signal, Task
from services.skeleton.room import Room


@dataclass
class Process:
    """One process. busy_s: work done since the last sample. handlers: of its pool, that can be taken at once.
    waiting: for one of them. room: what it has where something is put on its point `process`, else None."""

    name: str
    handlers: int = 64
    room: Room | None = None
    down_until: float = 0.0
    running: bool = False
    inflight: int = 0
    busy_s: float = 0.0
    started: float = 0.0
    bursts: deque[Burst] = field(default_factory=deque)
    waiting: deque[Signal] = field(default_factory=deque)

    @property
    def instance(self) -> str:
        return f"{self.name}-0"


Burst = tuple[Task, Process, float]  # whose work, where, core seconds


class Cores:
    """All cores of the machine. n: how many."""

    def __init__(self, n: float, loop: Loop) -> None:
        self.n, self.loop = n, loop
        self._taken, self._line = 0, deque[Burst]()

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
            self._line.append(burst)
        else:
            self._taken += 1
            self._begin(burst)

    def _begin(self, burst: Burst) -> None:
        seconds = burst[2]
        if seconds:
            self.loop.then(self.loop.now + seconds, self._end, burst)
        else:
            self._end(burst)

    def _end(self, burst: Burst) -> None:
        loop, (task, process, seconds) = self.loop, burst
        process.busy_s += seconds
        if self._line:  # the core changes hands
            loop.then(loop.now, self._begin, self._line.popleft())
        else:
            self._taken -= 1
        if process.bursts:  # `running` stays true for the next one
            loop.then(loop.now, self._take_core, process.bursts.popleft())
        else:
            process.running = False
        loop.go_on(task)
