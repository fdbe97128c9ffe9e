"""Dynamic batches: score calls that come together share one forward pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.base.clock import Clock
from sandbox.base.config import Beat
from sandbox.base.errors import SandboxError

Forward = Callable[[Any, NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]], NDArray[np.float32]]


@dataclass
class Job:
    """One score call. model: the version it was given, which stays alive until its batch is done.
    users, items: int64 [n]; inputs: float32 [n, columns]."""

    model: Any
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    inputs: NDArray[np.float32]
    arrived: float  # wall seconds
    answer: asyncio.Future[Scored]


@dataclass(frozen=True)
class Scored:
    """probabilities: float32 [n, 3]. wait_ms: wall time from the call to its batch's start.
    batch_rows: rows that shared the batch."""

    probabilities: NDArray[np.float32]
    wait_ms: float
    batch_rows: int


@dataclass
class Batcher:
    """Collects jobs until `max_rows`, or `max_wait_s` after the first, and runs `forward` on each
    model's jobs at once.

    A job that finds the server idle (nothing waiting, no batch within the last `max_wait_s`) does
    not wait for company: it goes as soon as the calls that are already here have been collected. With a
    `beat` all wait for it instead, in one line, in which a caller that gave up keeps its place.
    `forward` runs on the event loop: at these sizes a thread costs more than it saves.
    """

    forward: Forward
    wall: Clock
    max_rows: int
    max_wait_s: float
    beat: Beat | None = None
    _waiting: list[Job] = field(default_factory=list)
    _rows: int = 0
    _timer: asyncio.Handle | None = None
    _last_end: float = float("-inf")

    async def submit(
        self, model: Any, users: NDArray[np.int64], items: NDArray[np.int64], inputs: NDArray[np.float32]
    ) -> Scored:
        """The rows' probabilities. Raises what `forward` raises for this job's model."""
        loop, now = asyncio.get_running_loop(), self.wall.now()
        job = Job(model, users, items, inputs, now, loop.create_future())
        self._waiting.append(job)
        self._rows += len(items)
        if self.beat is not None:
            self._timer = self._timer or loop.call_later(self.beat.every_ms / 1000, self._run)
        elif self._rows >= self.max_rows:
            self._run()
        elif self._timer is None:
            busy = now - self._last_end < self.max_wait_s
            self._timer = loop.call_later(self.max_wait_s, self._run) if busy else loop.call_soon(self._run)
        return await job.answer

    def drain(self) -> None:
        """Runs what is waiting, now."""
        self.beat = None
        self._run()

    def _run(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        n = len(self._waiting) if self.beat is None else self.beat.calls
        waiting, self._waiting = self._waiting[:n], self._waiting[n:]
        self._rows = sum(len(job.items) for job in self._waiting)
        if self.beat is not None and self._waiting:
            self._timer = asyncio.get_running_loop().call_later(self.beat.every_ms / 1000, self._run)
        groups: dict[int, list[Job]] = {}
        for job in waiting:
            if not job.answer.done():  # a caller that gave up
                groups.setdefault(id(job.model), []).append(job)
        for jobs in groups.values():
            self._run_group(jobs)
        self._last_end = self.wall.now()

    def _run_group(self, jobs: list[Job]) -> None:
        began = self.wall.now()
        try:
            if len(jobs) == 1:
                only = jobs[0]
                p = self.forward(only.model, only.users, only.items, only.inputs)
            else:
                p = self.forward(
                    jobs[0].model,
                    np.concatenate([job.users for job in jobs]),
                    np.concatenate([job.items for job in jobs]),
                    np.concatenate([job.inputs for job in jobs]),
                )
        except (SandboxError, RuntimeError, ValueError) as error:
            for job in jobs:
                job.answer.set_exception(error)
            return
        at = 0
        for job in jobs:
            rows = p[at : at + len(job.items)]
            at += len(job.items)
            job.answer.set_result(Scored(rows, (began - job.arrived) * 1000, len(p)))
