"""The desk of a drill on a live stack: each way out is one that a person has too."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from loadtest.runner import LOAD
from sandbox.base.clock import WallClock
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.play import by_hand, drills, live_drill, rollout, standing, typed
from sandbox.drill.play.desk import OnDrill, Slate
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.report import Report
from sandbox.drill.play.typed import Typed
from sandbox.drill.scenario.scenario import Scenario, Step
from sandbox.runtime import slates
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.stack import Stack
from sandbox.telemetry.sql import Result, SqlWorker

_LOOK_S = 0.5  # wall seconds between two looks at whether the drill still runs, or the page has come


class _Reach:
    """A live stack as a hand reaches it, from beside the drill's driver. A fault on the load is the load's for as long as
    its process lives; on a service the supervisor keeps it through restarts."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self.operations = stack, Operations(stack.run)

    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None:
        with suppress(SandboxError):  # of somebody who was killed while they did the same
            self.disarm(name, service)
        if service == LOAD:
            control.ask(self._load(), "arm", id=name, **spec)
        else:
            self._stack.arm(service, {"id": name, **spec})

    def disarm(self, name: str, service: str) -> None:
        if service == LOAD:
            control.ask(self._load(), "disarm", id=name)
        else:
            self._stack.disarm(service, name)

    def release(self, step: Step, seed: int, faulty: bool) -> str:
        return rollout.release(step, seed, faulty, self.operations, self._stack.run.clock(), WallClock())

    def _load(self) -> Endpoint:
        return Endpoint.at(self._stack.run.control_socket(LOAD))


class LiveDesk(OnDrill):
    """A `Desk`."""

    stands_still = False

    def __init__(self, drill: Drill) -> None:
        self.drill, self._run = drill, drill.run
        self._clock, self._sql = self._run.clock(), SqlWorker(self._run.lake)

    @classmethod
    def start(
        cls, scenario: Scenario, *, world: str | None = None, seed: int | None = None,
        speed: float | None = None, faults: bool = True, run_dir: Path | None = None, autopilot: bool = False,
        progress: ProgressFn = quiet,
    ) -> LiveDesk:  # fmt: skip
        """As `live_drill.start`."""
        return cls(live_drill.start(
            scenario, world=world, seed=seed, speed=speed, run_dir=run_dir, faults=faults, autopilot=autopilot,
            progress=progress,
        ))  # fmt: skip

    @property
    def began_ts(self) -> float:
        began = self.drill.began()
        assert began is not None, "a drill whose clock runs has begun"
        return began

    def now(self) -> float:
        return self._clock.now()

    def wait(self, until_ts: float, *, to_the_page: bool = False) -> None:
        told = self.drill.paged() is not None
        while (left := until_ts - self.now()) > 0:
            if not drills.running_on(Path(self.drill.plan.run_dir)):
                raise live_drill.failure(self.drill)
            if to_the_page and not told and self.drill.paged() is not None:
                return
            step = min(left, _LOOK_S * self._run.speed)
            asyncio.run(self._clock.wait_until(until_ts - left + step))

    def lake(self) -> SqlWorker:
        return self._sql

    def ask(self, sql: str) -> Result:
        return self._sql.query(sql)

    def operations(self) -> Operations:
        return Operations(self._run)

    def preview(self, action: str) -> Typed:
        return typed.planned(action, self._up())

    def act(self, action: str) -> Record:
        return typed.act(action, self._up())

    def by_hand(self, deed: dict[str, Any]) -> dict[str, Any]:
        standing.require_running(self.drill)
        self._up()
        hands = _Reach(Stack(Path(self.drill.plan.run_dir)))
        return by_hand.done_once(self.drill, deed, hands, self.now(), lambda: None)

    def came_to(self) -> tuple[Any, float] | None:
        return None

    def recommend(self, user: int, k: int) -> Slate:
        run = self._up().run
        answered = slates.ask(run, user, k)
        cards = slates.read_cards(Path(run.world_dir), [item.item_id for item in answered.items])
        columns, rows = slates.cells(answered.items, cards)
        note = f"degraded: a fallback answered for {', '.join(answered.fallbacks)}" if answered.degraded else ""
        return Slate(answered.request_id, columns, rows, note)

    def file(self, report: Report, progress: ProgressFn = quiet) -> None:
        progress("handing the report in", None)
        live_drill.hand_in(self.drill, report)
        live_drill.let_stack_go(self.drill, progress)

    def abandon(self, progress: ProgressFn = quiet) -> None:
        live_drill.give_up(self.drill)
        live_drill.let_stack_go(self.drill, progress)

    def close(self) -> None:
        self._sql.close()

    def _up(self) -> Operations:
        """Raises RUN-001 when the stack is down."""
        stack = Stack(Path(self.drill.plan.run_dir))
        stack.require_up()
        return Operations(stack.run)
