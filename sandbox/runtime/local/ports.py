"""Free ports on loopback for the processes of a run."""

from __future__ import annotations

import socket
import zlib
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.runtime.settings import PORTS

LOOPBACK = "127.0.0.1"


def pick(n: int, run_dir: Path, attempt: int = 0) -> list[int]:
    """n ports that nobody listens on now. Raises RUN-006 when there are not so many.

    The search begins at a place that depends on run_dir and attempt, so that two runs that start
    at once rarely want the same. A port can still be taken before its process binds it: then the
    process says RUN-006 and the supervisor picks anew.
    """
    start = zlib.crc32(f"{run_dir}/{attempt}".encode()) % len(PORTS)
    free: list[int] = []
    for offset in range(len(PORTS)):
        port = PORTS[(start + offset) % len(PORTS)]
        if is_free(port):
            free.append(port)
            if len(free) == n:
                return free
    raise SandboxError(
        "RUN-006",
        where=f"ports {PORTS.start}..{PORTS.stop - 1} on {LOOPBACK}",
        seen=f"{len(free)} free",
        expected=f"{n} free ports",
        fix="stop other programs, or other stacks: sandbox down --run-dir DIR",
    )


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
