"""Orders to the load generator, as every process of a run takes them: what is put on `traffic`, and off."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from socket import AF_UNIX
from typing import Any

from gevent import socket
from gevent.server import StreamServer

from loadtest.schedule import Schedule
from sandbox.base.clock import Clock
from sandbox.runtime import load_test
from sandbox.runtime.arming import control
from sandbox.runtime.arming.armoury import Armoury


class Orders:
    """Listens at `path`, for this user alone, from `start` to `stop`."""

    def __init__(self, path: Path, armoury: Armoury, schedule: Schedule, world: Clock) -> None:
        self._path, self._armoury, self._schedule, self._world = path, armoury, schedule, world
        self._server: StreamServer | None = None

    def start(self) -> bool:
        """Takes orders, unless another load of the run does: that of a drill, beside which one of the lab comes.
        Whether it does."""
        if self._taken():
            return False
        self._path.unlink(missing_ok=True)
        listener = socket.socket(AF_UNIX)
        mask = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        finally:
            os.umask(mask)
        listener.listen()
        self._server = StreamServer(listener, self._converse)
        self._server.start()
        return True

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._path.unlink(missing_ok=True)

    def _taken(self) -> bool:
        """Whether somebody listens there. What a load left that died is nobody."""
        with socket.socket(AF_UNIX) as line:
            line.settimeout(control.PATIENCE_S)
            try:
                line.connect(str(self._path))
            except OSError:
                return False
        return True

    def _converse(self, line: Any, _: Any) -> None:
        line.settimeout(control.PATIENCE_S)
        with suppress(OSError), line.makefile("rwb") as file:
            while order := file.readline(control.MAX_LINE_BYTES):
                file.write(control.answered(order, self._answer))
                file.flush()

    def _answer(self, order: dict[str, Any]) -> dict[str, Any]:
        if order["op"] == load_test.ORDER:
            self._schedule.test(load_test.of(order["test"]), self._world.now())
            return {}
        answer = self._armoury.answer(order)
        if order["op"] in ("arm", "disarm"):
            self._schedule.redraw(self._world.now())
        return answer
