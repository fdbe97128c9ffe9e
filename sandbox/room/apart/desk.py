"""The server's side of a world in a process of its own: a `Desk` like any other.

What needs the world goes over the pipe; what stands on disk, the drill's journal, its changes and its lake, is read here.
A process that dies is told in the room, and its world taken up again from the drill's notes.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.play import drills
from sandbox.drill.play.desk import OnDrill, Slate
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.report import Report
from sandbox.drill.play.typed import Typed
from sandbox.drill.scenario.scenario import Scenario
from sandbox.room.apart.nursery import NURSERY, Nursery
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.operate.planning import Plan
from sandbox.telemetry.sql import Result, SqlWorker

MOST_DEATHS = 3  # of one room's process; what dies more often than that dies of its drill
CLOSE = "close"  # what a world does last
ENDED = "The process of this room's world has ended. It is played again to where it was; nothing that was told is lost."
BACK = "The world is where it was, and goes on."
_CLOSE_S = 5.0  # wall seconds to let go; then it is killed, which its drill's notes bear
_LOCKED_S = 5.0  # wall seconds that the process of a server which was killed may hold the drill yet
_LOOK_S = 0.05
_SEE = "see what the server said on stderr"
# Asked once more of the world that was taken up: what they do is not done twice.
_AGAIN = {"wait", "flush", "preview", "came_to", "by_hand"}

_log = logging.getLogger(__name__)


class Far:
    """One process and the pipe to it."""

    def __init__(self, nursery: Nursery) -> None:
        self._nursery, self.now = nursery, 0.0
        self._connection: Connection = nursery.born()
        self.pid: int | None = None

    def ask(self, name: str, progress: ProgressFn = quiet, **arguments: Any) -> Any:
        """Raises what the desk there raises, RUN-008 for what nobody foresaw, EOFError where the process has ended."""
        try:
            self._connection.send((name, arguments))
            while True:
                what, *told = self._connection.recv()
                if what == "pid":
                    (self.pid,) = told
                elif what == "progress":
                    progress(*told)
                else:
                    break
        except OSError as error:  # it may have ended in the middle of an answer
            raise EOFError from error
        value, self.now = told
        if what == "refused":
            raise SandboxError.of_json(value)
        if what == "failed":
            raise SandboxError(
                "RUN-008", where="the room's world", seen=f"it failed at `{name}`", expected="an answer",
                fix="see what the server said on stderr",
            )  # fmt: skip
        return value

    def close(self) -> None:
        """Returns when the process is gone."""
        with suppress(OSError):
            self._connection.send((CLOSE, {}))
        if not self._ended(_CLOSE_S) and self.pid is not None:
            with suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
            self._ended(_CLOSE_S)
        self._connection.close()
        self._nursery.gone()

    def _ended(self, within_s: float) -> bool:
        until = time.monotonic() + within_s
        try:
            while self._connection.poll(max(0.0, until - time.monotonic())):
                self._connection.recv()
        except (OSError, EOFError):
            return True
        return False


class DeskApart(OnDrill):
    """A `Desk`. tell: is handed what the room should be told of its process; taken_up: called when a world was."""

    stands_still = True

    def __init__(self, far: Far, begun: tuple[Path, float], nursery: Nursery) -> None:
        self.drill, self.began_ts = Drill(begun[0]), begun[1]
        self.tell: Callable[[str], object] = lambda text: None
        self.taken_up: Callable[[], object] = lambda: None
        self._far: Far | None = far
        self._nursery, self._now, self._deaths = nursery, far.now, 0
        self._sql = SqlWorker(self.drill.run.lake)

    @classmethod
    def start(
        cls, scenario: Scenario, world: str | None, seed: int | None, *, run_dir: Path, progress: ProgressFn = quiet,
        nursery: Nursery = NURSERY,
    ) -> DeskApart:  # fmt: skip
        """As `VirtualDesk.start`."""
        far = Far(nursery)
        arguments = {"scenario": scenario, "world": world, "seed": seed, "run_dir": run_dir}
        return cls(far, _first(far, "start", progress, **arguments), nursery)

    @classmethod
    def resume(cls, drill: Drill, progress: ProgressFn = quiet, nursery: Nursery = NURSERY) -> DeskApart:
        """As `VirtualDesk.resume`."""
        _let_go(drill)
        far = Far(nursery)
        return cls(far, _first(far, "resume", progress, directory=drill.directory), nursery)

    @property
    def pid(self) -> int | None:
        """Of its process, None while there is none."""
        return None if self._far is None else self._far.pid

    def now(self) -> float:
        return self._now

    def wait(self, until_ts: float, *, to_the_page: bool = False) -> None:
        self._ask("wait", until_ts=until_ts, to_the_page=to_the_page)

    def lake(self) -> SqlWorker:
        self._ask("flush")
        return self._sql

    def ask(self, sql: str) -> Result:
        return self.lake().query(sql)

    def operations(self) -> Operations:
        """To be read: what changes the stack goes by `act`."""
        return Operations(self.drill.run)

    def preview(self, action: str) -> Typed:
        text, preview = self._ask("preview", action=action)
        return Typed(text, Plan(preview, lambda actor: self.act(text)))

    def act(self, action: str) -> Record:
        done: Record = self._ask("act", action=action)
        return done

    def by_hand(self, deed: dict[str, Any]) -> dict[str, Any]:
        outcome: dict[str, Any] = self._ask("by_hand", deed=deed)
        return outcome

    def came_to(self) -> tuple[Any, float] | None:
        found: tuple[Any, float] = self._ask("came_to")
        return found

    def recommend(self, user: int, k: int) -> Slate:
        slate: Slate = self._ask("recommend", user=user, k=k)
        return slate

    def file(self, report: Report, progress: ProgressFn = quiet) -> None:
        self._ask("file", report=report)

    def abandon(self, progress: ProgressFn = quiet) -> None:
        self._ask("abandon")

    def close(self) -> None:
        far, self._far = self._far, None
        self._sql.close()
        if far is not None:
            far.close()

    def _ask(self, name: str, **arguments: Any) -> Any:
        """Raises RUN-003 where its process ended at it; by then the world is back, or what keeps it from that is raised."""
        while (far := self._far) is not None:
            try:
                return far.ask(name, **arguments)
            except EOFError:
                self._take_up(far)  # which raises for one that dies again and again
                if name not in _AGAIN:
                    break
            finally:
                self._now = max(self._now, far.now)
        if self._far is None:
            raise _gone(name, "it is not taken up again", _SEE)
        raise _gone(
            name, "its process ended", "the world is back: see in the room whether it was done, else do it again"
        )

    def _take_up(self, dead: Far) -> None:
        """Raises RUN-003 for what has died too often, and as `resume`; then it stays down."""
        _log.error("the world of drill %s: process %s has ended", self.drill.plan.drill, dead.pid)
        self._far, self._deaths = None, self._deaths + 1
        self.tell(ENDED)
        try:
            if self._deaths > MOST_DEATHS:
                raise _gone("resume", f"it has ended {self._deaths} times", _SEE)
            _let_go(self.drill)
            far = Far(self._nursery)
        finally:
            dead.close()  # after the new one is born: with the last one their nursery would go
        try:
            _first(far, "resume", quiet, directory=self.drill.directory)
        except (
            SandboxError
        ) as error:  # in full it may tell what happened in the drill, and whoever asked may be a trainee
            _log.error("the world of drill %s is not taken up again", self.drill.plan.drill, exc_info=error)
            raise _gone("resume", f"it cannot be played again: {error.kind.code}", _SEE) from None
        self._far, self._now = far, max(self._now, far.now)
        self.tell(BACK)
        self.taken_up()


def _first(far: Far, name: str, progress: ProgressFn, **arguments: Any) -> tuple[Path, float]:
    """(directory of the drill, when it began) of a world that is begun. What can't be begun leaves no process."""
    try:
        begun: tuple[Path, float] = far.ask(name, progress, **arguments)
    except EOFError:
        far.close()
        raise _gone(name, "its process ended", "see what the server said on stderr; is there memory enough?") from None
    except BaseException:
        far.close()
        raise
    return begun


def _let_go(drill: Drill) -> None:
    """Waits for a process to be gone that was killed, or whose server was: it may hold the drill a moment longer."""
    look, until = threading.Event(), time.monotonic() + _LOCKED_S
    while drills.running_on(Path(drill.plan.run_dir)) and time.monotonic() < until:
        look.wait(_LOOK_S)


def _gone(name: str, seen: str, fix: str) -> SandboxError:
    return SandboxError("RUN-003", where=f"the room's world, {name}", seen=seen, expected="an answer", fix=fix)
