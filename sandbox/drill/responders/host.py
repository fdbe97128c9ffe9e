"""The drill behind an environment, with all that its responder may not know: scenario, faults, stack.

A `DrillEnv` holds a number, by which its host is found here, and nothing else: whoever walks along the
attributes of an environment, private ones and those of its methods too, comes to nothing that tells.
What is not guarded against is in docs/responders.md.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from sandbox.base.clock import iso
from sandbox.base.errors import SandboxError
from sandbox.drill.grading.outcome import outcome
from sandbox.drill.play import drills, typed
from sandbox.drill.play.report import Report, checked, within
from sandbox.drill.responders.autopilot import Hands
from sandbox.drill.responders.observed import Observation, Rows, Score
from sandbox.drill.scenario import taxonomy
from sandbox.drill.scenario.queries import filled
from sandbox.drill.scenario.scenario import Scenario
from sandbox.runtime.operate.actions import ACTIONS

QUERY_S = 30.0  # world seconds that pass with a query: half a wall second of a person's at 60x
ACTION_S = 30.0  # and with an action
PATIENCE_S = 30.0  # world seconds between two looks at the pager

Outcome = Callable[[], dict[str, Any]]  # the document of a grade


class OpenDrill(Hands, Protocol):
    """What of a `Desk` an environment uses."""

    @property
    def began_ts(self) -> float: ...
    def file(self, report: Report) -> None: ...
    def close(self) -> None: ...


class Opener(Protocol):
    """Starts a drill on the virtual backend, or a stand-in of the same form: its desk, and what says what it came
    to, once the report is in."""

    def __call__(
        self, scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path
    ) -> tuple[OpenDrill, Outcome]: ...


class Host:
    """What a `DrillEnv` does: its docstrings tell of the calls. once: see there."""

    def __init__(
        self, scenario: Scenario, world: str | None, seed: int | None, faults: bool, run_dir: Path | None,
        opener: Opener | None, filing: Callable[[], None], once: bool,
    ) -> None:  # fmt: skip
        self.world = scenario.world if world is None else world
        self.seed = scenario.seed if seed is None else seed
        self.scenario = scenario.placed(self.seed)
        self._faults, self._opener, self._place = faults, opener or _virtual, run_dir
        self._filing, self._once = filing, once
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._drill: OpenDrill | None = None
        self._outcome: Outcome | None = None
        self._score: Score | None = None
        self._touched = False

    def reset(self) -> Observation:
        if self._drill is not None and not self._touched:
            return self._observation()
        if self._touched and self._once:
            raise _not_now("reset", "a drill that has begun", "one try at it")
        if self._drill is not None and self._place is not None:
            self.close()
            forget(self._place)  # what the drill before left there is not to be seen in this one
        self.close()
        if self._place is None:
            self._own = tempfile.TemporaryDirectory(prefix="sandbox-drill-")
        place = self._place or Path(str(self._own and self._own.name))
        self._score, self._touched = None, False
        self._drill, self._outcome = self._opener(
            scenario=self.scenario, world=self.world, seed=self.seed, faults=self._faults, run_dir=place
        )
        return self._observation()

    def now(self) -> float:
        return self._running().now()

    def began(self) -> float:
        return self._running().began_ts

    def left_s(self) -> float:
        return max(0.0, self.began() + self.scenario.length_s - self.now())

    def paged_ts(self) -> float | None:
        return self._running().paged()

    def page(self) -> str | None:
        return None if self.paged_ts() is None else self.scenario.pager.text

    def observe(self, sql: str) -> Rows:
        drill = self._busy("observe")
        times = {"began": drill.began_ts, "paged": drill.paged(), "now": drill.now()}
        answer = drill.ask(filled(sql, times))
        self._pass(QUERY_S)
        return Rows(answer.columns, answer.rows)

    def wait(self, seconds: float) -> None:
        self._busy("wait")
        if not 0 <= seconds < float("inf"):
            raise SandboxError(
                "CFG-001",
                where="env.wait, seconds",
                seen=seconds,
                expected="0 or more, finite",
                fix="wait for a number of world seconds",
            )
        self._pass(seconds)

    def wait_for_page(self) -> str:
        while (page := self.page()) is None:
            self.wait(PATIENCE_S)
        return page

    def act(self, action: str) -> None:
        drill = self._busy("act")
        typed.check(action)
        drill.act(action)
        self._pass(ACTION_S)

    def submit(self, report: Report | dict[str, Any]) -> Score:
        drill = self._running()
        self._touched = True
        if self._score is not None:
            raise _not_now("submit", "a report was handed in", "one report for each drill")
        written = checked(report) if isinstance(report, dict) else report
        if not isinstance(written, Report):
            raise SandboxError(
                "DRILL-003",
                where="report",
                seen=type(report).__name__,
                expected="a Report or a dict",
                fix="fill in the fields of sandbox.drill.play.report.Report",
            )
        within(written, drill.began_ts, drill.now())
        if drill.paged() is None:
            self.wait_for_page()
        self._filing()
        drill.file(written)
        assert self._outcome is not None, "it came with the desk"
        document = self._outcome()
        self._score = Score(float(document["score"]), document)
        return self._score

    def score(self) -> Score:
        if self._score is None:
            raise _not_now("score", "no report", "a report that was handed in")
        return self._score

    def submitted(self) -> bool:
        return self._score is not None

    def close(self) -> None:
        drill, self._drill = self._drill, None
        if drill is not None:
            drill.close()
        own, self._own = self._own, None
        if own is not None:
            forget(Path(own.name))
            own.cleanup()  # nothing is left to clean: this only tells its finaliser so

    def _observation(self) -> Observation:
        s = self.scenario
        return Observation(
            name=s.id, title=s.title, briefing=s.briefing, world=self.world, world_time=iso(self.now()),
            now=self.now(), began=self.began(), length_s=s.length_s, world_rate=s.world_rate,
            components=tuple(taxonomy.COMPONENTS), mechanisms=_mechanisms(),
            segment_columns=tuple(taxonomy.SEGMENT_COLUMNS),
            actions={name: dict(kind.arguments) for name, kind in ACTIONS.items()},
        )  # fmt: skip

    def _running(self) -> OpenDrill:
        if self._drill is None:
            raise _not_now("env", "no drill", "one that was begun: env.reset()")
        return self._drill

    def _busy(self, what: str) -> OpenDrill:
        drill = self._running()
        if self._score is not None:
            raise _not_now(what, "a report was handed in", "a drill that is running: env.reset()")
        if self.left_s() <= 0:
            raise _not_now(what, "time is up", "a report: env.submit(...)")
        self._touched = True
        return drill

    def _pass(self, seconds: float) -> None:
        drill = self._running()
        drill.wait(drill.now() + min(seconds, self.left_s()))


_HOSTS: WeakValueDictionary[int, Host] = WeakValueDictionary()
_NUMBERS = itertools.count(1)


def lodged(host: Host, guest: object) -> int:
    """Keeps a host for as long as there is its guest, then closes it. Returns the number to find it by."""
    number = next(_NUMBERS)
    _HOSTS[number] = host
    weakref.finalize(guest, host.close)  # this is what holds it
    return number


def at(number: int) -> Host:
    """The host of that number."""
    return _HOSTS[number]


def forget(run_dir: Path) -> None:
    """Removes a run directory that nobody will ask for again, and the record of its drill."""
    with suppress(SandboxError):
        shutil.rmtree(drills.of_run(run_dir).directory, ignore_errors=True)
    shutil.rmtree(run_dir, ignore_errors=True)


def _mechanisms() -> dict[str, tuple[str, ...]]:
    return {
        family: tuple(m.name for m in taxonomy.MECHANISMS.values() if m.family == family)
        for family in taxonomy.FAMILIES
    }


def _not_now(what: str, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "DRILL-006",
        where=f"env.{what}" if what != "env" else "env",
        seen=seen,
        expected=expected,
        fix="reset, wait for the page, investigate, submit once",
    )


def _virtual(
    scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path
) -> tuple[OpenDrill, partial[dict[str, Any]]]:
    from sandbox.drill.play.virtual_desk import VirtualDesk  # torch: only when a drill begins

    desk = VirtualDesk.start(scenario, world=world, seed=seed, faults=faults, run_dir=run_dir)
    return desk, partial(outcome, desk.drill)


def graded_later(scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path) -> tuple[OpenDrill, Outcome]:
    """An `Opener` of drills on the virtual backend whose score is for now what can be said without a twin."""
    desk, of_drill = _virtual(scenario, world, seed, faults, run_dir)
    return desk, partial(of_drill, twin=False)
