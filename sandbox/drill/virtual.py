"""Drills on the virtual backend: the same scenario, engine, actions and grader, without waiting.

World time moves when somebody asks for it. One scenario, world, seed and list of actions make one run,
to the byte, so that a run can be repeated with something left out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.run import write_atomically
from sandbox.base.worlds import world_dir
from sandbox.drill import rollout, store, typed
from sandbox.drill.arms import ArmPlan
from sandbox.drill.deeds import Action
from sandbox.drill.engine import Alert, Engine
from sandbox.drill.journal import Entry, Journal, first
from sandbox.drill.live import stage_models
from sandbox.drill.report import Report, require_paged, within
from sandbox.drill.scenario import Scenario, Step
from sandbox.drill.store import Drill
from sandbox.runtime.building import ensure_built
from sandbox.runtime.plan import require_seed
from sandbox.runtime.stack import fresh_run_dir
from sandbox.telemetry.sql import SqlWorker
from sandbox.virtual.ledger import Ledger
from sandbox.virtual.loop import Wall
from sandbox.virtual.stack import VirtualStack

ProgressFn = Callable[[str, float | None], None]
TICK_S = 15.0  # world seconds between two looks at the timeline, as on a live stack at 60x


class VirtualStage:
    """Carries out what the engine decides."""

    def __init__(self, stack: VirtualStack) -> None:
        self._stack = stack

    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None:
        self._stack.arm(service, {"id": name, **spec})

    def disarm(self, name: str, service: str) -> None:
        self._stack.disarm(service, name)

    def release(self, step: Step, seed: int, faulty: bool) -> str:
        stack = self._stack
        return rollout.release(
            step, seed, faulty, stack.operations, stack.world, Wall(stack.loop)
        )  # fmt: skip

    def note(self, step: Step) -> str:
        return rollout.note(step, self._stack.operations)

    def actions(self) -> list[Action]:
        return rollout.actions_of(self._stack.operations, self._stack.began_ts)

    def alerts(self, since_ts: float) -> list[Alert]:
        return [Alert(*fired) for fired in self._stack.alerts if fired[0] >= since_ts]


class _Pages:
    """A journal that is read by nobody: of runs that only their ledger is wanted of."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def append(self, world_ts: float, who: str, what: str, **fields: Any) -> Entry:
        entry = Entry(world_ts, world_ts, who, what, fields)
        self._entries.append(entry)
        return entry

    def read(self) -> list[Entry]:
        return self._entries


class _Course:
    """A stack with its engine: time goes on in ticks, and both see the same of it."""

    def __init__(self, stack: VirtualStack, engine: Engine) -> None:
        self.stack, self.engine = stack, engine
        engine.begin()
        engine.tick(stack.now())

    def advance(self, until_ts: float) -> None:
        while (now := self.stack.now()) < until_ts - 1e-6:
            next_tick = now - (now - self.stack.began_ts) % TICK_S + TICK_S
            self.stack.advance(min(until_ts, next_tick))
            self.engine.tick(self.stack.now())

    def act(self, text: str) -> None:
        typed.act(text, self.stack.operations)
        self.engine.tick(self.stack.now())


def _open(
    scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path, journal: Any,
    telemetry: bool, progress: ProgressFn = lambda _what, _share: None,
) -> _Course:  # fmt: skip
    stage_models(
        scenario, world_dir(world), run_dir / "registry", faults=faults, progress=progress
    )  # fmt: skip
    stack = VirtualStack(
        world, run_dir, seed=seed, load=scenario.load, speed=scenario.world_rate,
        telemetry=telemetry, watched=[cause.segment for cause in scenario.truth.causes],
    )  # fmt: skip
    engine = Engine(scenario, VirtualStage(stack), journal, stack.began_ts, seed, faults)
    return _Course(stack, engine)


def run_arm(plan: ArmPlan, run_dir: Path, telemetry: bool) -> Ledger:
    """One run from its beginning to plan.until_s. The world and its models have to be there.

    run_dir: where its configuration and, with telemetry, its lake lie. Raises DRILL-005 and DRILL-007
    for actions that there are not, WORLD-*, MODEL-*, RUN-005.
    """
    course = _open(
        plan.scenario, plan.world, plan.seed, plan.faults, run_dir, _Pages(), telemetry
    )  # fmt: skip
    began_ts = course.stack.began_ts
    for at_s, text in sorted(plan.actions, key=lambda action: action[0]):
        if at_s < plan.until_s:
            course.advance(began_ts + at_s)
            course.act(text)
    course.advance(began_ts + plan.until_s)
    course.stack.flush()
    return course.stack.ledger


class VirtualDrill:
    """One drill of which somebody is the trainee. It is also a `Desk` for the scripted responder."""

    def __init__(self, drill: Drill, course: _Course) -> None:
        self.drill, self._course, self._held = drill, course, ExitStack()
        self._held.enter_context(store.lock(course.stack.run_dir))
        self._sql = SqlWorker(course.stack.run.lake)

    @classmethod
    def start(
        cls, scenario: Scenario, world: str | None = None, seed: int | None = None, faults: bool = True,
        run_dir: Path | None = None, *, autopilot: bool = False,
        progress: ProgressFn = lambda _what, _share: None,
    ) -> VirtualDrill:  # fmt: skip
        """Builds the world and its models where they are missing, and begins.

        run_dir: a fresh one when None. Raises DRILL-004 where a live drill runs, WORLD-*, MODEL-*, RUN-005.
        """
        seed = scenario.seed if seed is None else seed
        require_seed(seed)
        scenario = scenario.placed(seed)
        directory = (run_dir or fresh_run_dir()).absolute()
        chosen = world or scenario.world
        ensure_built(chosen, progress)
        drill = store.create(
            scenario, run_dir=directory, seed=seed, faults=faults, autopilot=autopilot, own_stack=True,
            world=chosen, backend="virtual",
        )  # fmt: skip
        journal = Journal(drill.directory / "journal.jsonl", lambda: 0.0)
        course = _open(scenario, chosen, seed, faults, directory, journal, True, progress)
        write_atomically(directory / "drill.json", f'{{"drill": "{drill.plan.drill}"}}')
        return cls(drill, course)

    @classmethod
    def resume(
        cls, drill: Drill, progress: ProgressFn = lambda _what, _share: None
    ) -> VirtualDrill:  # fmt: skip
        """Takes up a drill whose process has ended: what moved its world is done again, with the same outcome.

        Raises DRILL-004 where another process holds it, DRILL-006 where it is over, or does not come out
        as it was (another version, another world), and as `start`.
        """
        from sandbox.drill.replay import replayed

        plan, directory = drill.plan, Path(drill.plan.run_dir)
        if store.running_on(directory):
            raise store.occupied(directory)
        ensure_built(plan.world, progress)
        pages = _Pages()

        def begin() -> _Course:
            return _open(
                drill.scenario, plan.world, plan.seed, plan.faults, directory, pages, True, progress
            )

        course = replayed(drill, begin, pages.read, progress)
        course.engine.journal = drill.journal
        return cls(drill, course)

    @property
    def began_ts(self) -> float:
        return self._course.stack.began_ts

    @property
    def stack(self) -> VirtualStack:
        return self._course.stack

    def now(self) -> float:
        return self._course.stack.now()

    def advance(self, until_ts: float) -> None:
        """Lets the world go on. Raises DRILL-006 once the drill is over."""
        self._require_open()
        self._course.advance(until_ts)

    def wait_until(self, ts: float) -> None:
        self.advance(ts)

    def paged(self) -> float | None:
        """World seconds at which the page came, None before."""
        return self.drill.paged()

    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        """Raises LAKE-001..004."""
        self._course.stack.flush()
        answer = self._sql.query(sql)
        return answer.columns, answer.rows

    def act(self, action: str) -> None:
        """Carries it out. Raises DRILL-005, DRILL-007, and what the action raises."""
        self._require_open()
        self._course.act(action)

    def file(
        self, report: Report, progress: ProgressFn = lambda _what, _share: None, *, twin: bool = True
    ) -> dict[str, Any]:  # fmt: skip
        """Hands the report in and closes the drill. Returns the grade's document; twin: see
        `session.grade`. Raises DRILL-003."""
        from sandbox.drill import session

        self._require_open()
        now = self.now()
        require_paged(self.paged())
        within(report, self.began_ts, now)
        self.drill.journal.append(now, "trainee", "report", report=report.model_dump(mode="json"))
        self._end(now)
        return session.grade(self.drill, progress, twin=twin)

    def abandon(
        self, progress: ProgressFn = lambda _what, _share: None, *, twin: bool = True
    ) -> dict[str, Any]:  # fmt: skip
        """Ends the drill without a report; as `session.abandon`."""
        from sandbox.drill import session

        self._require_open()
        self.drill.journal.append(self.now(), "trainee", "abandoned")
        self._end(self.now())
        return session.grade(self.drill, progress, twin=twin)

    def _end(self, now: float) -> None:
        self._course.engine.tick(now)
        self._course.stack.flush()
        self._held.close()  # over: whoever looks at the run directory sees no drill running

    def close(self) -> None:
        self._sql.close()
        self._held.close()

    def __enter__(self) -> VirtualDrill:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _require_open(self) -> None:
        entries = self.drill.entries()
        if first(entries, "report") or first(entries, "phase", name="debrief"):
            raise SandboxError(
                "DRILL-006", where="drill", seen=f"phase {self.drill.phase}", expected="a drill that is running",
                fix="start another one: sandbox drill start NAME --backend virtual",
            )  # fmt: skip
