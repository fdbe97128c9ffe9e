"""Where worlds come from: a process that has loaded what they need, and forks one for each that is wanted.

To load it takes seconds of a core and 250 MB, once instead of for each room. It does nothing else, has no threads, and
ends with the server, however that ends: its order socket is closed then. With it the kernel ends its worlds.

As a program: `python -m sandbox.room.apart.nursery FD`.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from sandbox.base.errors import SandboxError
from sandbox.runtime.threads import ONE_THREAD

_END_S = 5.0  # wall seconds to end after its order socket is closed
# Memory of Arrow's own would be looked after by a thread, and a process with threads is not to be forked.
_WITHOUT_THREADS = {**ONE_THREAD, "ARROW_DEFAULT_MEMORY_POOL": "system"}


class Nursery:
    """The server's side. It runs while there is a world that came from it."""

    def __init__(self) -> None:
        self._turn, self._worlds = threading.Lock(), 0
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    def born(self) -> Connection:
        """A connection to a new process, which runs `world.serve`. Raises RUN-003. Give it back by `gone`."""
        with self._turn:
            for _ in range(2):  # one that was killed is started again
                ours, theirs = socket.socketpair()
                with theirs:
                    try:
                        socket.send_fds(self._order_socket(), [b"."], [theirs.fileno()])
                    except OSError:
                        ours.close()
                        self._end()
                        continue
                self._worlds += 1
                return Connection(ours.detach())
        raise SandboxError(
            "RUN-003", where="the process that worlds are forked from", seen="it ended", expected="one that runs",
            fix="see what the server said on stderr",
        )  # fmt: skip

    def gone(self) -> None:
        """One of its worlds has ended; with the last one it ends too."""
        with self._turn:
            self._worlds -= 1
            if self._worlds == 0:
                self._end()

    def _order_socket(self) -> socket.socket:
        if self._orders is None:
            self._orders, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, str(theirs.fileno())], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env={**os.environ, **_WITHOUT_THREADS},
                    start_new_session=True,  # Ctrl-C at the terminal is the server's to answer
                )  # fmt: skip
        return self._orders

    def _end(self) -> None:
        process, orders, self._process, self._orders = self._process, self._orders, None, None
        if orders is not None:
            orders.close()
        if process is not None:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:  # it is loading still
                process.kill()
                process.wait()


NURSERY = Nursery()


def _main(fd: int) -> None:
    from sandbox.room.apart.world import serve  # torch, compiled loops: what is loaded once

    orders = socket.socket(fileno=fd)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for worlds
    gc.collect()
    gc.freeze()  # pages that all share are not to be written by looking for garbage
    while True:
        order, fds, _, _ = socket.recv_fds(orders, 1, 1)
        if not order:
            os._exit(0)  # at once: its worlds end with it
        parent = os.getpid()
        with suppress(OSError):  # no memory for one more: who asked sees that nobody answers
            if os.fork() == 0:
                orders.close()
                _live(fds[0], parent, serve)
        for given in fds:
            os.close(given)


def _live(fd: int, parent: int, serve: Callable[[Connection], None]) -> None:
    """A world's whole life."""
    from sandbox.runtime.tether import tether

    code = 1
    try:
        tether(parent)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        serve(Connection(fd))
        code = 0
    finally:
        os._exit(code)  # nothing of the parent's is to be undone here


if __name__ == "__main__":
    _main(int(sys.argv[1]))
