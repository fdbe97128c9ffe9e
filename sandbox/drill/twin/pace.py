"""How long runs of a twin take: by those before them, else by those that are done."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox.base.run import write_atomically
from sandbox.drill.twin.arms import ArmPlan

UNKNOWN_S = 20.0  # wall seconds of a run of which nothing is known: ten minutes of a small world


class Pace:
    """Of runs that begin now, so many at a time. memory: a file that holds wall seconds per request by
    world. wall: wall seconds, whatever they count from."""

    def __init__(
        self, plans: Sequence[ArmPlan], workers: int, memory: Path, wall: Callable[[], float] = time.monotonic
    ) -> None:
        self._n, self._workers = len(plans), max(1, min(workers, len(plans)))
        self._memory, self._wall, self._began = memory, wall, wall()
        self._world = plans[0].world if plans else ""
        self._requests = sum(map(_requests, plans)) / max(1, self._n)  # of one run
        known = self._known().get(self._world)
        self._run_s = known * self._requests if known else UNKNOWN_S
        kinds = Counter(map(_kind, plans))
        self._what = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))

    def told(self, done: int) -> str:
        """What is being run, and about how long it will take. done: runs that have ended."""
        passed, rounds = self._wall() - self._began, math.ceil((self._n - done) / self._workers)
        if done:
            self._run_s = passed * self._workers / done
        if done == self._n:
            return f"the twin: {self._what}; all done, now they are compared"
        left = rounds * self._run_s if done else max(0.0, rounds * self._run_s - passed)
        return f"the twin: {self._what}; {done} of {self._n} runs done, about {_rounded(left)} left"

    def finish(self) -> None:
        """All have ended: what they took is remembered."""
        if not self._n or not self._requests:
            return
        each = (self._wall() - self._began) * self._workers / (self._n * self._requests)
        write_atomically(self._memory, json.dumps({**self._known(), self._world: each}))

    def _known(self) -> dict[str, float]:
        try:
            found = json.loads(self._memory.read_text())
        except (OSError, ValueError):
            return {}
        fits = isinstance(found, dict) and all(isinstance(v, float) for v in found.values())
        return found if fits else {}


def _kind(plan: ArmPlan) -> str:
    if not plan.faults:
        return "healthy with the same actions" if plan.actions else "healthy"
    return "with the fault and actions" if plan.actions else "with the fault and nothing done"


def _requests(plan: ArmPlan) -> float:
    return plan.scenario.load.rate_per_s * plan.until_s / plan.scenario.world_rate


def _rounded(seconds: float) -> str:
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{seconds / 60:.0f} min"
