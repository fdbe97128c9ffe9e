"""The desk of a drill on the virtual backend: the same scenario, engine and actions, without waiting.

This process holds the drill's world. What moves it is written down, so that the drill can be taken up again.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import write_atomically
from sandbox.drill.play import by_hand, drills, standing, typed
from sandbox.drill.play.desk import OnDrill, Slate
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import Journal
from sandbox.drill.play.notebook import Notebook
from sandbox.drill.play.replay import replayed
from sandbox.drill.play.report import Report, require_paged, within
from sandbox.drill.play.typed import Typed
from sandbox.drill.play.virtual_run import TICK_S, Pages, VirtualRun, open_run
from sandbox.drill.scenario.scenario import Scenario
from sandbox.runtime.building import ensure_built
from sandbox.runtime.local.plan import require_seed
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.rundir import in_use, set_aside_earlier
from sandbox.runtime.stack import Stack, fresh_run_dir
from sandbox.telemetry.sql import Result, SqlWorker
from sandbox.virtual.people.ledger import Ledger

ANSWERED_S = 30.0  # world seconds in which a request that somebody makes by hand is answered
_SLATE = """
    SELECT i.position AS "#", c.title, i.cand_source AS "found by", round(i.score, 3) AS score,
           round(i.p_click, 3) AS "p click", i.model_rank AS ranker
    FROM impressions i LEFT JOIN items c USING (item_id)
    WHERE i.request_id = '{request}' ORDER BY i.position"""


class _Reach:
    """A virtual run as a hand reaches it."""

    def __init__(self, run: VirtualRun) -> None:
        backend = run.engine.backend
        self.operations: Operations = run.stack.operations
        self.arm, self.disarm, self.release = backend.arm, backend.disarm, backend.release


class VirtualDesk(OnDrill):
    """A `Desk`. Until it is closed no other process can hold the drill."""

    stands_still = True

    def __init__(self, drill: Drill, run: VirtualRun) -> None:
        self.drill, self.run, self._held = drill, run, ExitStack()
        self._held.enter_context(drills.lock(run.stack.run_dir))
        self._sql, self._notebook = SqlWorker(run.stack.run.lake), Notebook(drill.directory)

    @classmethod
    def start(
        cls, scenario: Scenario, world: str | None = None, seed: int | None = None, faults: bool = True,
        run_dir: Path | None = None, *, autopilot: bool = False,
        progress: ProgressFn = quiet,
    ) -> VirtualDesk:  # fmt: skip
        """Builds the world and its models where they are missing, and begins.

        run_dir: a fresh one when None; what an earlier run left there is set aside. Raises DRILL-004 where a live drill
        runs, RUN-002 where a stack does, WORLD-*, MODEL-*, RUN-005.
        """
        seed = scenario.seed if seed is None else seed
        require_seed(seed)
        scenario = scenario.placed(seed)
        directory = (run_dir or fresh_run_dir()).absolute()
        chosen = world or scenario.world
        ensure_built(chosen, progress)
        if Stack(directory).alive:
            raise in_use(directory)
        drill = drills.create(
            scenario, run_dir=directory, seed=seed, faults=faults, autopilot=autopilot, own_stack=True,
            world=chosen, backend="virtual",
        )  # fmt: skip
        set_aside_earlier(directory)
        journal = Journal(drill.directory / "journal.jsonl", lambda: 0.0)
        run = open_run(scenario, chosen, seed, faults, directory, journal, True, progress)
        write_atomically(directory / "drill.json", f'{{"drill": "{drill.plan.drill}"}}')
        return cls(drill, run)

    @classmethod
    def resume(cls, drill: Drill, progress: ProgressFn = quiet) -> VirtualDesk:
        """Takes up a drill whose process has ended: what moved its world is done again, with the same outcome.

        Raises DRILL-004 where another process holds it, DRILL-006 where it is over, or does not come out
        as it was (another version, another world), and as `start`.
        """

        plan, directory = drill.plan, Path(drill.plan.run_dir)
        if drills.running_on(directory):
            raise drills.occupied(directory)
        ensure_built(plan.world, progress)
        pages = Pages()

        def begin() -> VirtualRun:
            return open_run(drill.scenario, plan.world, plan.seed, plan.faults, directory, pages, True, progress)

        run = replayed(drill, begin, pages.read, progress, _Reach)
        run.engine.journal = drill.journal
        return cls(drill, run)

    @property
    def began_ts(self) -> float:
        return self.run.stack.began_ts

    def now(self) -> float:
        return self.run.stack.now()

    def wait(self, until_ts: float, *, to_the_page: bool = False) -> None:
        standing.require_running(self.drill)
        grid = to_the_page and self.paged() is None  # the page comes on a tick
        while (now := self.now()) < until_ts - 1e-6:
            step = TICK_S - (now - self.began_ts) % TICK_S if grid else until_ts - now
            # Noted first: what a process that is killed on the way has written of it must come about again.
            self._notebook.note_move("until", min(until_ts, now + step))
            self.run.advance(min(until_ts, now + step))
            if grid and self.paged() is not None:
                break

    def lake(self) -> SqlWorker:
        self.run.stack.flush()
        self.run.stack.tidy()
        return self._sql

    def ask(self, sql: str) -> Result:
        return self.lake().query(sql)

    def operations(self) -> Operations:
        operations: Operations = self.run.stack.operations
        return operations

    def preview(self, action: str) -> Typed:
        standing.require_running(self.drill)
        return typed.planned(action, self.operations())

    def act(self, action: str) -> Record:
        standing.require_running(self.drill)
        self._notebook.note_move("act", action)
        return self.run.act(action)

    def by_hand(self, deed: dict[str, Any]) -> dict[str, Any]:
        standing.require_running(self.drill)
        return by_hand.done_once(
            self.drill, deed, _Reach(self.run), self.now(), lambda: self._notebook.note_move(by_hand.MOVE, deed["name"])
        )

    def came_to(self) -> tuple[Ledger, float] | None:
        """Who has an answer and has not reacted yet is left out: to have them react would be to move the world."""
        return self.run.stack.book.closed(), self.now()

    def recommend(self, user: int, k: int) -> Slate:
        """k: as many as users are shown, whatever is asked."""
        n_users = self.run.stack.catalogue.n_users
        if not 0 <= user < n_users:
            raise SandboxError(
                "WIRE-002",
                where="recommend",
                seen=f"user {user}",
                expected=f"a user from 0 to {n_users - 1}",
                fix="name another",
            )
        standing.require_running(self.drill)
        self._notebook.note_move("probe", user)
        request = self.run.stack.clients.probe(user)
        self.wait(self.now() + ANSWERED_S)
        shown = self.ask(_SLATE.format(request=request))
        return Slate(request, shown.columns, shown.rows)

    def file(self, report: Report, progress: ProgressFn = quiet) -> None:
        standing.require_running(self.drill)
        now = self.now()
        require_paged(self.paged())
        within(report, self.began_ts, now)
        self.drill.journal.append(now, "trainee", "report", report=report.model_dump(mode="json"))
        self._end(now)

    def abandon(self, progress: ProgressFn = quiet) -> None:
        standing.require_running(self.drill)
        self.drill.journal.append(self.now(), "trainee", "abandoned")
        self._end(self.now())

    def close(self) -> None:
        self._sql.close()
        self._held.close()

    def _end(self, now: float) -> None:
        self.run.engine.tick(now)
        self.run.stack.flush()
        self._held.close()  # over: whoever looks at the run directory sees no drill running
