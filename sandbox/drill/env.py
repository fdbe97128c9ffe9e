"""A drill for programs: `reset / observe(sql) / wait / act / submit / score`, on the virtual backend.

    with DrillEnv("slow-home", seed=7) as env:
        briefing = env.reset()
        env.wait_for_page()
        rows = env.observe("SELECT median(latency_ms) AS ms FROM requests WHERE ts >= $paged")
        env.act("path caller=gateway callee=features path=b")
        score = env.submit({"incident": True, "started_at": env.began + 2_100, ...})

Nothing waits for the wall clock: world time moves when the program asks for something, and only then.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from sandbox.base.clock import iso
from sandbox.base.errors import SandboxError
from sandbox.drill import library, store, taxonomy
from sandbox.drill.observed import Observation, Rows, Score
from sandbox.drill.patterns import ActionPattern
from sandbox.drill.queries import filled
from sandbox.drill.report import Report, checked, within
from sandbox.drill.scenario import Scenario
from sandbox.runtime.actions import ACTIONS

QUERY_S = 30.0  # world seconds that pass with a query: half a wall second of a person's at 60x
ACTION_S = 30.0  # and with an action
PATIENCE_S = 30.0  # world seconds between two looks at the pager


class OpenDrill(Protocol):
    """The drill behind an environment. Times are world seconds since the epoch."""

    @property
    def began_ts(self) -> float: ...
    def now(self) -> float: ...
    def advance(self, until_ts: float) -> None: ...
    def paged(self) -> float | None: ...
    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]: ...
    def act(self, action: str) -> None: ...
    def file(self, report: Report) -> dict[str, Any]: ...
    def close(self) -> None: ...


class Opener(Protocol):
    """Starts a drill: VirtualDrill.start, or a stand-in of the same form."""

    def __call__(
        self, scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path
    ) -> OpenDrill: ...


class Responder(Protocol):
    """Whoever answers drills. Made without arguments, anew for each drill."""

    def respond(self, env: DrillEnv) -> Report | dict[str, Any] | None:
        """Plays the drill, which has been reset. What it returns is submitted; None: it did that itself."""
        ...


class DrillEnv:
    """One drill of a scenario, from its briefing to its score.

    scenario: its name, its file or itself. world: None for the scenario's own. seed: of traffic and
    chance; None for the scenario's own. faults: False leaves them out, all else happens. run_dir: where
    its lake lies, emptied when the drill is begun anew; None for a directory that goes with the environment. The same scenario, world, seed and
    calls give the same answers. filing: called when a report is in, before it is graded.
    Raises DRILL-001 and DRILL-002 for the scenario.

    The attribute `scenario` holds the truth: a responder that is to prove anything leaves it alone.
    """

    def __init__(
        self, scenario: str | Scenario, world: str | None = None, seed: int | None = None, *,
        faults: bool = True, run_dir: Path | None = None, opener: Opener | None = None,
        filing: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        found = library.named(scenario) if isinstance(scenario, str) else scenario
        self.name = found.id
        self.world = found.world if world is None else world
        self.seed = found.seed if seed is None else seed
        self.scenario = found.placed(self.seed)
        self._faults, self._opener, self._place = faults, opener or _virtual, run_dir
        self._filing = filing
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._drill: OpenDrill | None = None
        self._score: Score | None = None
        self._touched = False

    def reset(self) -> Observation:
        """Begins the drill, anew where something was asked or done in it. Raises WORLD-001 and the like."""
        if self._drill is not None and not self._touched:
            return self._observation()
        if self._drill is not None and self._place is not None:
            self.close()
            forget(self._place)  # what the drill before left there is not to be seen in this one
        self.close()
        if self._place is None:
            self._own = tempfile.TemporaryDirectory(prefix="sandbox-drill-")
        place = self._place or Path(str(self._own and self._own.name))
        self._score, self._touched = None, False
        self._drill = self._opener(
            scenario=self.scenario, world=self.world, seed=self.seed, faults=self._faults, run_dir=place
        )  # fmt: skip
        return self._observation()

    @property
    def now(self) -> float:
        """World seconds since the epoch."""
        return self._running().now()

    @property
    def began(self) -> float:
        """When the drill began, world seconds since the epoch."""
        return self._running().began_ts

    @property
    def left_s(self) -> float:
        """World seconds until its time is up."""
        return max(0.0, self.began + self.scenario.length_s - self.now)

    @property
    def paged_ts(self) -> float | None:
        """When the page came, world seconds since the epoch; None before."""
        return self._running().paged()

    @property
    def page(self) -> str | None:
        """What the page says, None before it comes."""
        return None if self.paged_ts is None else self.scenario.pager.text

    def observe(self, sql: str) -> Rows:
        """One SELECT on the run's lake; then QUERY_S pass. `$began`, `$paged` (once it has come) and
        `$now` stand for world times.

        Raises LAKE-001 to LAKE-004 for the SQL and for another `$name`, DRILL-006 when time is up.
        """
        drill = self._busy("observe")
        times = {"began": drill.began_ts, "paged": drill.paged(), "now": drill.now()}
        columns, rows = drill.ask(filled(sql, times))
        self._pass(QUERY_S)
        return Rows(columns, rows)

    def wait(self, seconds: float) -> None:
        """Lets world seconds pass, at most until time is up. Raises DRILL-006 when it was up before."""
        self._busy("wait")
        if not 0 <= seconds < float("inf"):
            raise SandboxError(
                "CFG-001", where="env.wait, seconds", seen=seconds, expected="0 or more, finite",
                fix="wait for a number of world seconds",
            )  # fmt: skip
        self._pass(seconds)

    def wait_for_page(self) -> str:
        """Lets time pass until the page comes, and returns it. Every drill has one."""
        while (page := self.page) is None:
            self.wait(PATIENCE_S)
        return page

    def act(self, action: str) -> None:
        """One action, as `sandbox act` takes it; `revert target=T key=K` takes back the latest change of
        that target and key. Then ACTION_S pass. Raises DRILL-005, DRILL-007, DRILL-006 when time is up."""
        drill = self._busy("act")
        try:
            ActionPattern.parse(action)
        except ValueError as error:
            raise SandboxError(
                "DRILL-007", where="env.act", seen=action, expected="ACTION argument=value ...",
                fix="reset() tells the actions and their arguments",
            ) from error  # fmt: skip
        drill.act(action)
        self._pass(ACTION_S)

    def submit(self, report: Report | dict[str, Any]) -> Score:
        """Hands the report in, once, and returns its score. One that is ready before the page is handed
        in as the page comes: until then there is nothing to report on. Raises DRILL-003, DRILL-006."""
        drill = self._running()
        self._touched = True
        if self._score is not None:
            raise _not_now("submit", "a report was handed in", "one report for each drill")
        written = checked(report) if isinstance(report, dict) else report
        if not isinstance(written, Report):
            raise SandboxError(
                "DRILL-003", where="report", seen=type(report).__name__, expected="a Report or a dict",
                fix="fill in the fields of sandbox.drill.report.Report",
            )  # fmt: skip
        within(written, drill.began_ts, drill.now())
        if drill.paged() is None:
            self.wait_for_page()
        self._filing()
        document = drill.file(written)
        self._score = Score(float(document["score"]), document)
        return self._score

    def score(self) -> Score:
        """Of the report handed in. Raises DRILL-006 before."""
        if self._score is None:
            raise _not_now("score", "no report", "a report that was handed in")
        return self._score

    @property
    def submitted(self) -> bool:
        """True once a report is in."""
        return self._score is not None

    def close(self) -> None:
        """Ends the drill. Its score stays."""
        drill, self._drill = self._drill, None
        if drill is not None:
            drill.close()
        own, self._own = self._own, None
        if own is not None:
            forget(Path(own.name))
            own.cleanup()  # nothing is left to clean: this only tells its finaliser so

    def __enter__(self) -> DrillEnv:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _observation(self) -> Observation:
        s = self.scenario
        return Observation(
            name=s.id, title=s.title, briefing=s.briefing, world=self.world, world_time=iso(self.now),
            now=self.now, began=self.began, length_s=s.length_s, world_rate=s.world_rate,
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
        if self.left_s <= 0:
            raise _not_now(what, "time is up", "a report: env.submit(...)")
        self._touched = True
        return drill

    def _pass(self, seconds: float) -> None:
        drill = self._running()
        drill.advance(drill.now() + min(seconds, self.left_s))


def forget(run_dir: Path) -> None:
    """Removes a run directory that nobody will ask for again, and the record of its drill."""
    with suppress(SandboxError):
        shutil.rmtree(store.of_run(run_dir).directory, ignore_errors=True)
    shutil.rmtree(run_dir, ignore_errors=True)


def _mechanisms() -> dict[str, tuple[str, ...]]:
    return {
        family: tuple(m.name for m in taxonomy.MECHANISMS.values() if m.family == family)
        for family in taxonomy.FAMILIES
    }


def _not_now(what: str, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "DRILL-006", where=f"env.{what}" if what != "env" else "env", seen=seen, expected=expected,
        fix="reset, wait for the page, investigate, submit once",
    )  # fmt: skip


def _virtual(scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path) -> OpenDrill:
    from sandbox.drill.virtual import VirtualDrill  # torch and faiss: only when a drill begins

    start: Callable[..., OpenDrill] = VirtualDrill.start
    return start(scenario, world=world, seed=seed, faults=faults, run_dir=run_dir)
