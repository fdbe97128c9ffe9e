"""The scripted responder on a live stack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.drill import session, store, typed
from sandbox.drill.autopilot import respond
from sandbox.drill.store import Drill
from sandbox.runtime.operations import Operations
from sandbox.telemetry.sql import SqlWorker


def autopilot(drill: Drill, say: Callable[[str], None]) -> None:
    """Lets the scripted responder answer the drill, and hands its report in."""
    began = drill.began()
    assert began is not None
    desk = LiveDesk(drill)
    try:
        report, _ = respond(drill.scenario, desk, began, say)
    finally:
        desk.close()
    session.hand_in(drill, report)


class LiveDesk:
    """The responder's desk at a live stack: each way out is one that a person has too."""

    def __init__(self, drill: Drill) -> None:
        self._drill, self._run = drill, drill.run
        self._clock, self._sql = self._run.clock(), SqlWorker(self._run.lake)

    def now(self) -> float:
        return self._clock.now()

    def wait_until(self, ts: float) -> None:
        """Returns at that world time. Raises DRILL-006 when the drill ends before."""
        while (left := ts - self._clock.now()) > 0:
            if not store.running_on(Path(self._drill.plan.run_dir)):
                raise session.failure(self._drill)
            asyncio.run(self._clock.wait_until(ts - max(0.0, left - 0.5 * self._run.speed)))

    def paged(self) -> float | None:
        return self._drill.paged()

    def ask(self, sql: str) -> tuple[list[str], list[list[Any]]]:
        answer = self._sql.query(sql)
        return answer.columns, answer.rows

    def act(self, action: str) -> None:
        typed.act(action, Operations(self._run))

    def close(self) -> None:
        self._sql.close()
