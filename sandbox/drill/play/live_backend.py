"""A live stack as the engine has it: faults put on seams, releases rolled out, alerts read, actions followed."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from loadtest.runner import LOAD
from sandbox.base.clock import WallClock
from sandbox.base.errors import SandboxError
from sandbox.drill.play import rollout
from sandbox.drill.play.deeds import ActionTaken
from sandbox.drill.play.engine import Alert
from sandbox.drill.play.on_load import OnLoad
from sandbox.drill.scenario.queries import sql_time
from sandbox.drill.scenario.scenario import Step
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.local.unsupervised import Kept
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.stack import Stack
from sandbox.telemetry.sql import SqlWorker


class LiveBackend:
    """Carries out what the engine decides. began_ts: trainee's actions before it do not count."""

    def __init__(self, stack: Stack, began_ts: float) -> None:
        self._run, self._began_ts = stack.run, began_ts
        self._arms = stack if self._run.supervised else Kept(self._run)
        socket = Endpoint.at(self._run.control_socket(LOAD))
        self.load = OnLoad(partial(control.ask, socket), self._run.clock().now)
        self._operations = Operations(self._run)
        self._sql = SqlWorker(self._run.lake)
        self._alerts: list[Alert] = []
        self._looked_ts = self._kept_ts = 0.0

    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None:
        if service == LOAD:
            self.load.arm(name, spec)
        else:
            self._arms.arm(service, {"id": name, **spec})

    def disarm(self, name: str, service: str) -> None:
        if service == LOAD:
            self.load.disarm(name)
        else:
            self._arms.disarm(service, name)

    def keep(self) -> None:
        """Puts on again what a restart took off, where no supervisor does; once a wall second at most."""
        now_ts = self._run.clock().now()
        if isinstance(self._arms, Kept) and now_ts - self._kept_ts >= self._run.speed:
            self._kept_ts = now_ts
            self._arms.look()

    def release(self, step: Step, seed: int, faulty: bool) -> str:
        return rollout.release(step, seed, faulty, self._operations, self._run.clock(), WallClock())

    def note(self, step: Step) -> str:
        return rollout.note(step, self._operations)

    def actions(self) -> list[ActionTaken]:
        return rollout.actions_of(self._operations, self._began_ts)

    def alerts(self, since_ts: float) -> list[Alert]:
        """A second of wall time old at most: alerts are judged no oftener."""
        now_ts = self._run.clock().now()
        if now_ts - self._looked_ts >= self._run.speed:
            self._looked_ts = now_ts
            query = f"SELECT epoch(ts), rule, state FROM alerts WHERE ts >= {sql_time(since_ts)} ORDER BY ts"
            with suppress(SandboxError):  # a busy lake: what was known before stands, the next look tells
                rows = self._sql.query(query).rows
                self._alerts = [Alert(float(ts), str(rule), str(state)) for ts, rule, state in rows]
        return self._alerts

    def close(self) -> None:
        self._sql.close()
