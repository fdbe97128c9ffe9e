"""The server that is measured: `sandbox room start` as a user starts it, in a SANDBOX_HOME of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from sandbox.base.progress import ProgressFn
from sandbox.base.worlds import world_dir
from sandbox.bench.processes import pss_mb
from sandbox.bench.programs import failed
from sandbox.runtime.building import ensure_built
from sandbox.runtime.tether import tether

SCENARIO = "two-publishers"  # 25 requests per wall second, and nobody trains a model for it
_END_S = 120.0  # wall seconds: a live stack is taken down
_OWN = ("sandbox.telemetry.sql_worker", "sandbox.room.")  # modules of a server's own children; the stack's are others
_TOLD = 2_000  # characters of what it said that are told


@dataclass(frozen=True)
class Server:
    """pid: of its process. codes: of its rooms."""

    pid: int
    address: str
    codes: list[str]

    def cpu_s(self) -> float:
        """Processor seconds of the server and of what it keeps beside it, so far: the console's and the rooms' processes,
        those that have ended with them; not the live stack's."""
        own = psutil.Process(self.pid).cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self._children():
            with suppress(psutil.Error):
                times = child.cpu_times()
                total += times.user + times.system
        return float(total)

    def rss_bytes(self) -> float:
        """Resident bytes of the same, pages that they share counted for each."""
        total = float(psutil.Process(self.pid).memory_info().rss)
        for child in self._children():
            with suppress(psutil.Error):
                total += child.memory_info().rss
        return total

    def pss_bytes(self) -> float:
        """The same, shared pages counted once."""
        with suppress(OSError):
            return pss_mb([self.pid, *(child.pid for child in self._children())]) * 2**20
        return float("nan")  # one of them has just ended

    def _children(self) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.pid).children(recursive=True):
            with suppress(psutil.Error):
                line = " ".join(child.cmdline())
                if any(module in line for module in _OWN):
                    found.append(child)
        return found


@contextmanager
def served(backend: str, world: str, rooms: int, progress: ProgressFn) -> Iterator[Server]:
    """A server with so many new rooms; ended with this, its stack with it. Raises RUN-008 with what it said."""
    ensure_built(world, progress)
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        (Path(place) / "worlds").symlink_to(world_dir(world).parent)
        said = Path(place) / "said"
        progress(f"starting {rooms} {backend} room{'s' * (rooms > 1)}", None)
        process = _started(backend, world, rooms, place, said)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                process.wait(_END_S)
                raise failed("sandbox room start", said.read_text(errors="replace")[-_TOLD:])
            told = json.loads(line)
            yield Server(process.pid, told["address"], [room["code"] for room in told["rooms"]])
        finally:
            _end(process)


def _started(backend: str, world: str, rooms: int, place: str, said: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "sandbox.cli.app", "room", "start", SCENARIO, "--backend", backend, "--world", world,
        "--rooms", str(rooms), "--port", "0", "--no-twin", "--fresh", "--json",
    ]  # fmt: skip
    with said.open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
            env={**os.environ, "SANDBOX_HOME": place}, start_new_session=True,
            # A bench that is killed must not leave a stack that serves for nobody: it is there to be taken down.
            preexec_fn=partial(tether, os.getpid(), signal.SIGTERM),
        )  # fmt: skip


def _end(process: subprocess.Popen[str]) -> None:
    """As a user ends it; it takes its stack down. A second Ctrl-C meanwhile has it killed."""
    try:
        process.terminate()  # of no effect on one that is over
        process.wait(_END_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
