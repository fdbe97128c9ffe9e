"""A drill for programs: `reset / observe(sql) / wait / act / submit / score`, on the virtual backend.

    with DrillEnv("slow-home", seed=7) as env:
        briefing = env.reset()
        page = env.wait_for_page()
        rows = env.observe("SELECT median(latency_ms) AS ms FROM requests WHERE ts >= $paged")
        score = env.submit({"incident": False, "confidence": 0.6})

Nothing waits for the wall clock: world time moves when the program asks for something, and only then.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sandbox.base.errors import SandboxError
from sandbox.drill.play.report import Report
from sandbox.drill.responders import host
from sandbox.drill.responders.host import Host, Opener
from sandbox.drill.responders.observed import Observation, Rows, Score
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Scenario

P = ParamSpec("P")
T = TypeVar("T")


class Responder(Protocol):
    """Whoever answers drills. Made without arguments, anew for each drill."""

    def respond(self, env: DrillEnv) -> Report | dict[str, Any] | None:
        """Plays the drill, which has been reset. What it returns is submitted; None: it did that itself."""
        ...


class DrillEnv:
    """One drill of a scenario, from its briefing to its score.

    scenario: its name, its file or itself. world: None for the scenario's own. seed: of traffic and
    chance; None for the scenario's own. faults: False leaves them out, all else happens. run_dir: where
    its lake lies, emptied when the drill is begun anew; None for a directory that goes with the
    environment. The same scenario, world, seed and calls give the same answers. filing: called when a
    report is in, before it is graded. once: True allows one try, and no reset after it has begun.
    Raises DRILL-001 and DRILL-002 for the scenario.

    It holds the number of its host and nothing else: no attribute of it leads to the truth.
    """

    def __init__(
        self, scenario: str | Scenario, world: str | None = None, seed: int | None = None, *,
        faults: bool = True, run_dir: Path | None = None, opener: Opener | None = None,
        filing: Callable[[], None] = lambda: None, once: bool = False,
    ) -> None:  # fmt: skip
        chosen = library.named(scenario) if isinstance(scenario, str) else scenario
        kept = Host(chosen, world, seed, faults, run_dir, opener, filing, once)
        self._number = host.lodged(kept, self)

    @property
    def name(self) -> str:
        """The scenario's."""
        return self._ask(lambda at: at.scenario.id)

    @property
    def world(self) -> str:
        return self._ask(lambda at: at.world)

    @property
    def seed(self) -> int:
        return self._ask(lambda at: at.seed)

    def reset(self) -> Observation:
        """Begins the drill, anew where something was asked or done in it. Raises WORLD-001 and the like,
        DRILL-006 where only one try is allowed."""
        return self._ask(Host.reset)

    @property
    def now(self) -> float:
        """World seconds since the epoch."""
        return self._ask(Host.now)

    @property
    def began(self) -> float:
        """When the drill began, world seconds since the epoch."""
        return self._ask(Host.began)

    @property
    def left_s(self) -> float:
        """World seconds until its time is up."""
        return self._ask(Host.left_s)

    @property
    def paged_ts(self) -> float | None:
        """When the page came, world seconds since the epoch; None before."""
        return self._ask(Host.paged_ts)

    @property
    def page(self) -> str | None:
        """What the page says, None before it comes."""
        return self._ask(Host.page)

    def observe(self, sql: str) -> Rows:
        """One SELECT on the run's lake; then host.QUERY_S pass. `$began`, `$paged` (once it has come) and
        `$now` stand for world times.

        Raises LAKE-001 to LAKE-004 for the SQL and for another `$name`, DRILL-006 when time is up.
        """
        return self._ask(Host.observe, sql)

    def wait(self, seconds: float) -> None:
        """Lets world seconds pass, at most until time is up. Raises DRILL-006 when it was up before."""
        self._ask(Host.wait, seconds)

    def wait_for_page(self) -> str:
        """Lets time pass until the page comes, and returns it. Every drill has one."""
        return self._ask(Host.wait_for_page)

    def act(self, action: str) -> None:
        """One action, as `sandbox act` takes it; `revert target=T key=K` takes back the latest change of
        that target and key. Then host.ACTION_S pass. Raises DRILL-005, DRILL-007, DRILL-006 when time is up."""
        self._ask(Host.act, action)

    def submit(self, report: Report | dict[str, Any]) -> Score:
        """Hands the report in, once, and returns its score. One that is ready before the page is handed
        in as the page comes: until then there is nothing to report on. Raises DRILL-003, DRILL-006."""
        return self._ask(Host.submit, report)

    def score(self) -> Score:
        """Of the report handed in. Raises DRILL-006 before."""
        return self._ask(Host.score)

    @property
    def submitted(self) -> bool:
        """True once a report is in."""
        return self._ask(Host.submitted)

    def close(self) -> None:
        """Ends the drill. Its score stays."""
        self._ask(Host.close)

    def __enter__(self) -> DrillEnv:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _ask(self, call: Callable[Concatenate[Host, P], T], *args: P.args, **named: P.kwargs) -> T:
        try:
            return call(host.at(self._number), *args, **named)
        except SandboxError as error:
            refusal = SandboxError(
                error.kind.code, where=error.where, seen=error.seen, expected=error.expected, fix=error.fix
            )
        # Afresh, and without a way to the hosts: the frames of an error that was caught tell all they hold.
        del call
        raise refusal
