"""The room's SQL console: one query at a time, beside the desk, so that a long one holds up neither actions nor the world.

While the drill runs the desk says what has happened by now; once it is over, what it left is read from its kept lake.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.drill.play.desk import Desk
from sandbox.drill.play.drills import Drill
from sandbox.telemetry.sql import Result, SqlWorker

# A desk's console with all that has happened by now, and how long the desk took for it, seconds.
Flushed = tuple[SqlWorker, float]


class Console:
    """flushed: asks the desk, None once there is none. clock: monotonic seconds. Safe to use from several threads, but not
    from the desk's own: what asks here may wait for the desk. Close it."""

    def __init__(
        self, code: str, drill: Drill, flushed: Callable[[], Flushed | None], clock: Callable[[], float]
    ) -> None:
        self._code, self._drill, self._flushed, self._clock = code, drill, flushed, clock
        self._turn = threading.Lock()
        self._kept: SqlWorker | None = None  # of a drill that is over
        self._left: Desk | None = None

    def query(self, sql: str, max_rows: int | None = None) -> tuple[Result, float]:
        """The answer, and how long it took without waiting, seconds. max_rows: None for as many as the console gives.
        Raises LAKE-001..004, what the desk raises, and ROOM-003 where the drill is over and its telemetry gone."""
        most = {} if max_rows is None else {"max_rows": max_rows}
        with self._turn:
            worker, took_s = self._flushed() or (self._of_the_past(), 0.0)
            began = self._clock()
            found = worker.query(sql, **most)
            return found, took_s + self._clock() - began

    def leave(self, desk: Desk) -> None:
        """A desk that is not asked any more, to be closed by `release` once it has answered whoever asks still."""
        self._left = desk

    def release(self) -> None:
        with self._turn:
            desk, self._left = self._left, None
            if desk is not None:
                desk.close()

    def close(self) -> None:
        self.release()
        with self._turn:
            if self._kept is not None:
                self._kept.close()

    def _of_the_past(self) -> SqlWorker:
        lake = Path(self._drill.plan.run_dir) / "lake"
        if not lake.is_dir():
            raise SandboxError(
                "ROOM-003", where=f"room {self._code}", seen="a drill that is over, whose telemetry is gone",
                expected="its run directory", fix="see the debrief, or what was asked while it ran",
            )  # fmt: skip
        self._kept = self._kept or SqlWorker(lake, until_ts=_ended(self._drill))
        return self._kept


def _ended(drill: Drill) -> float | None:
    """World seconds since the epoch. A live stack writes on while it is taken down, which is nothing of the drill; None where
    it failed, and did not say when."""
    return next((entry.world_ts for entry in drill.entries() if entry.what in ("report", "abandoned")), None)
