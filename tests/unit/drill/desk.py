"""A drill on disk without processes, for the tests of the shell and of the report's questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sandbox.base.run import RunInfo
from sandbox.drill.play import drills
from sandbox.drill.play.drills import Drill
from tests.unit.drill.scenes import scenario

WORLD_START = 1_772_000_000.0  # 2026-02-25 06:13:20


def begun_drill(place: Path, armed: bool = True) -> Drill:
    """A drill that has begun on a run without processes. SANDBOX_HOME has to be a temporary one."""
    run_dir = place / "run"
    run_dir.mkdir()
    run = RunInfo(
        run_dir=str(run_dir), world="tiny", world_dir=str(place), world_start=WORLD_START,
        wall_start=time.time(), speed=60.0, seed=1, redis="", addresses={}, metrics={},
    )  # fmt: skip
    run.save()
    made = drills.create(scenario(), run_dir=run_dir, seed=1, faults=True, autopilot=False, own_stack=True)
    drills.announce(made)
    made.journal.append(run.world_start, "engine", "phase", name="baseline")
    if armed:
        told = {"id": "w1", "fault": "session-stream-lag", "target": "stream"}
        made.journal.append(run.world_start, "engine", "armed", **told)
    return made


def paged(drill: Drill, at_s: float = 1_200.0) -> Drill:
    """An hour of world time in, with a page."""
    replace(drill.run, wall_start=time.time() - 60).save()
    drill.journal.append(WORLD_START + at_s, "engine", "page", text="it is slow")
    return drill


class Scripted:
    """Answers questions in order; `...` is Enter, an exception is raised. Knows what it was asked."""

    def __init__(self, *answers: str | BaseException) -> None:
        self._answers, self.asked = list(answers), list[str]()

    def __call__(self, question: str, words: Sequence[str] = ()) -> str:
        self.asked.append(question)
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return "" if answer == "..." else answer

    @property
    def left(self) -> int:
        return len(self._answers)


def collector() -> tuple[list[str], Callable[[str], None]]:
    """What is said, and the way to say it."""
    told: list[str] = []
    return told, told.append
