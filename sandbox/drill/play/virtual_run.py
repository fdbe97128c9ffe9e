"""A virtual stack with its engine: what a virtual drill and every run of a twin are.

World time moves when somebody asks for it. One scenario, world, seed and list of actions make one run,
to the byte, so that a run can be repeated with something left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.worlds import world_dir
from sandbox.drill.play import rollout, typed
from sandbox.drill.play.deeds import ActionTaken
from sandbox.drill.play.engine import Alert, Engine
from sandbox.drill.play.journal import Entry
from sandbox.drill.play.models import stage_models
from sandbox.drill.scenario.scenario import Scenario, Step
from sandbox.runtime.operate.operations import Record
from sandbox.virtual.machine.loop import Wall
from sandbox.virtual.stack import VirtualStack

TICK_S = 15.0  # world seconds between two looks at the timeline, as on a live stack at 60x


class VirtualBackend:
    """Carries out what the engine decides."""

    def __init__(self, stack: VirtualStack) -> None:
        self._stack = stack

    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None:
        self._stack.arm(service, {"id": name, **spec})

    def disarm(self, name: str, service: str) -> None:
        self._stack.disarm(service, name)

    def release(self, step: Step, seed: int, faulty: bool) -> str:
        stack = self._stack
        return rollout.release(step, seed, faulty, stack.operations, stack.world, Wall(stack.loop))

    def note(self, step: Step) -> str:
        return rollout.note(step, self._stack.operations)

    def actions(self) -> list[ActionTaken]:
        return rollout.actions_of(self._stack.operations, self._stack.began_ts)

    def alerts(self, since_ts: float) -> list[Alert]:
        return [Alert(*fired) for fired in self._stack.alerts if fired[0] >= since_ts]


class Pages:
    """A journal that is read by nobody: of runs that only their ledger is wanted of."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def append(self, world_ts: float, who: str, what: str, **fields: Any) -> Entry:
        entry = Entry(world_ts, world_ts, who, what, fields)
        self._entries.append(entry)
        return entry

    def read(self) -> list[Entry]:
        return self._entries


class VirtualRun:
    """A stack with its engine: time goes on in ticks, and both see the same of it."""

    def __init__(self, stack: VirtualStack, engine: Engine) -> None:
        self.stack, self.engine = stack, engine
        engine.begin()
        engine.tick(stack.now())

    def advance(self, until_ts: float) -> None:
        self.tick_up_to(until_ts)
        if self.stack.now() < until_ts - 1e-6:
            self._go_on(until_ts)

    def tick_up_to(self, until_ts: float) -> None:
        """As far as whole ticks go. Whoever stops here first and then advances finds what they would have without."""
        while (next_ts := self._next_tick()) <= until_ts:
            self._go_on(next_ts)

    def _next_tick(self) -> float:
        now = self.stack.now()
        return now - (now - self.stack.began_ts) % TICK_S + TICK_S

    def _go_on(self, until_ts: float) -> None:
        self.stack.advance(until_ts)
        self.engine.tick(self.stack.now())

    def act(self, text: str) -> Record:
        done = typed.act(text, self.stack.operations)
        self.engine.tick(self.stack.now())
        return done


def open_run(
    scenario: Scenario, world: str, seed: int, faults: bool, run_dir: Path, journal: Any,
    telemetry: bool, progress: ProgressFn = quiet,
) -> VirtualRun:  # fmt: skip
    stage_models(scenario, world_dir(world), run_dir / "registry", faults=faults, progress=progress)
    stack = VirtualStack(
        world, run_dir, seed=seed, load=scenario.load, speed=scenario.world_rate,
        telemetry=telemetry, config=scenario.config, watched=[cause.segment for cause in scenario.truth.causes],
    )  # fmt: skip
    engine = Engine(scenario, VirtualBackend(stack), journal, stack.began_ts, seed, faults)
    return VirtualRun(stack, engine)
