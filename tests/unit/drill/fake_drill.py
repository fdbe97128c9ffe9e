"""A drill without a stack, and responders good and bad, for the tests of what runs responders."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.grading.grade import grade
from sandbox.drill.play.deeds import ActionTaken, Played
from sandbox.drill.play.report import Report
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.responders.observed import Rows
from sandbox.drill.scenario.patterns import parse_action
from sandbox.drill.scenario.scenario import Scenario

BEGAN = 1_000_000.0
Answer = tuple[list[str], list[list[Any]]]
Opened = tuple["FakeDrill", Callable[[], dict[str, Any]]]  # what a `host.Opener` returns


def nothing(sql: str, now: float) -> Answer:
    return ["n"], []


def evidence_holds(sql: str, now: float) -> Answer:
    """What the evidence of scenes.DOCUMENT wants to see, from 3,000 s on."""
    onset = datetime.fromtimestamp(BEGAN + 1_200, UTC)
    return ["lag_s", "onset"], [[900 if now >= BEGAN + 3_000 else 0, onset]]


@dataclass
class FakeDrill:
    """Time moves when it is told to, queries are answered by a function, the grade is the real one."""

    scenario: Scenario
    seed: int
    faults: bool
    answer: Callable[[str, float], Answer] = nothing
    clock: float = BEGAN
    asked: list[str] = field(default_factory=list)
    acted: list[tuple[float, str]] = field(default_factory=list)
    filed: Report | None = None
    closed: bool = False

    @property
    def began_ts(self) -> float:
        return BEGAN

    def now(self) -> float:
        return self.clock

    def wait(self, until_ts: float) -> None:
        assert until_ts >= self.clock
        self.clock = until_ts

    def paged(self) -> float | None:
        at = BEGAN + self.scenario.pager.at_s
        return at if self.clock >= at else None

    def ask(self, sql: str) -> Rows:
        self.asked.append(sql)
        return Rows(*self.answer(sql, self.clock))

    def act(self, action: str) -> None:
        if action.startswith("promote"):
            raise SandboxError("DRILL-007", where="act", seen=action, expected="another", fix="-")
        self.acted.append((self.clock, action))

    def file(self, report: Report) -> None:
        self.filed = report

    def outcome(self) -> dict[str, Any]:
        assert self.filed is not None
        deeds = tuple(ActionTaken.of(ts - BEGAN, *parse_action(text)) for ts, text in self.acted)
        played = Played(
            BEGAN, self.scenario.length_s, self.scenario.truth.onset_s if self.faults else None,
            self.scenario.pager.at_s, self.clock - BEGAN, deeds,
        )  # fmt: skip
        marks = grade(self.scenario, played, self.filed)
        items = [{"item": i.item, "score": i.score, "max": i.max, "why": i.why} for i in marks.items]
        return {"run": "fake", "score": marks.score, "items": items}

    def close(self) -> None:
        self.closed = True


def opened(scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path) -> Opened:
    """An opener that can be pickled. Leaves a file in the run directory, as a lake would."""
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "lake.parquet").write_text("rows")
    return with_outcome(FakeDrill(scenario, seed, faults, evidence_holds if faults else nothing))


def with_outcome(drill: FakeDrill) -> Opened:
    return drill, drill.outcome


def does_not_open(scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path) -> Opened:
    raise SandboxError("WORLD-001", where="world", seen=world, expected="another", fix="build it")


class Ungradable(FakeDrill):
    def outcome(self) -> dict[str, Any]:
        raise RuntimeError("the grader is broken")


def ungradable(scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path) -> Opened:
    return with_outcome(Ungradable(scenario, seed, faults))


class DiesGrading(FakeDrill):
    def outcome(self) -> dict[str, Any]:
        os._exit(9)


def dies_grading(scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path) -> Opened:
    return with_outcome(DiesGrading(scenario, seed, faults))


class Knows:
    """Answers rightly without looking: what a test needs."""

    def respond(self, env: DrillEnv) -> dict[str, Any]:
        env.wait_for_page()
        return {
            "incident": True,
            "component": "stream",
            "mechanism": "stream-lag",
            "started_at": env.began + 1_200,
            "segment": {"region": "EU"},
        }


class Submits(Knows):
    """Hands in by itself and returns nothing."""

    def respond(self, env: DrillEnv) -> None:  # type: ignore[override]
        env.submit(super().respond(env))


class Raises:
    def respond(self, env: DrillEnv) -> Report:
        raise ZeroDivisionError("by a responder")


class Leaves:
    def respond(self, env: DrillEnv) -> Report:
        sys.exit("I am off")


class Dies:
    def respond(self, env: DrillEnv) -> Report:
        os._exit(7)


class Hangs:
    """With a child process, which must not outlive it."""

    def respond(self, env: DrillEnv) -> Report:
        child = subprocess.Popen(["sleep", "600"])
        Path(os.environ["HANGS_TELLS"]).write_text(f"{os.getpid()} {child.pid}")
        threading.Event().wait()
        raise AssertionError


class Rubbish:
    def respond(self, env: DrillEnv) -> Any:
        return {"incident": "perhaps", "colour": "blue"}


class NoReport:
    def respond(self, env: DrillEnv) -> Any:
        return 42


class Chatty(Knows):
    def respond(self, env: DrillEnv) -> dict[str, Any]:
        print("thinking aloud")
        return super().respond(env)
