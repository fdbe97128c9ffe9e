"""The far side of a desk: one virtual drill, which does what the server's side asks, one thing after the other.

First it tells ("pid", its own). A message is (name, arguments); the answers are any number of ("progress", what, share) and
then one of ("done", value, now), ("refused", the parts of a SandboxError, now) or ("failed", "", now). now: world seconds, 0
before there is a world. `start` and `resume` come to (directory of the drill, when it began in world seconds).
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.virtual_desk import VirtualDesk
from sandbox.room.apart.desk import CLOSE

BEGUN = {"start", "resume"}  # by which there is a desk


class World:
    """The desk and what is asked of it."""

    def __init__(self, progress: Callable[[str, float | None], None]) -> None:
        self._desk: VirtualDesk | None = None
        self._progress = progress

    def now(self) -> float:
        return 0.0 if self._desk is None else self._desk.now()

    def do(self, name: str, arguments: dict[str, Any]) -> Any:
        """Raises what the desk raises."""
        if name == "start":
            self._desk = VirtualDesk.start(**arguments, progress=self._progress)
        elif name == "resume":
            self._desk = VirtualDesk.resume(Drill(arguments["directory"]), self._progress)
        if name in BEGUN:
            assert self._desk is not None
            return self._desk.drill.directory, self._desk.began_ts
        if name == CLOSE:
            return self.close()
        assert self._desk is not None, "it is begun first"
        return _OF.get(name, _plain(name))(self._desk, arguments)

    def close(self) -> None:
        if self._desk is not None:
            self._desk.close()


def serve(connection: Connection) -> None:
    """Until it is told to close, or whoever asks is gone."""

    def progress(what: str, share: float | None) -> None:
        connection.send(("progress", what, share))

    world = World(progress)
    connection.send(("pid", os.getpid()))
    name = ""
    while name != CLOSE:
        try:
            name, arguments = connection.recv()
        except EOFError:
            return world.close()
        try:
            answer = ("done", world.do(name, arguments), world.now())
        except SandboxError as error:
            answer = ("refused", error.as_json(), world.now())
        except Exception:  # the edge of the process; what it was may tell the truth, and goes to the server's log alone
            traceback.print_exc()
            answer = ("failed", "", world.now())
        connection.send(answer)


def _plain(name: str) -> Callable[[VirtualDesk, dict[str, Any]], Any]:
    return lambda desk, arguments: getattr(desk, name)(**arguments)


def _preview(desk: VirtualDesk, arguments: dict[str, Any]) -> Any:
    typed = desk.preview(**arguments)
    return typed.text, typed.preview


def _recommend(desk: VirtualDesk, arguments: dict[str, Any]) -> Any:
    slate = desk.recommend(**arguments)
    desk.lake().close()  # the room's console is the server's; a second one would only hold memory
    return slate


def _flush(desk: VirtualDesk, arguments: dict[str, Any]) -> None:
    desk.lake()


_OF: dict[str, Callable[[VirtualDesk, dict[str, Any]], Any]] = {
    "preview": _preview,
    "recommend": _recommend,
    "flush": _flush,
}
