"""What is asked of a run, and the plan that follows: addresses, sockets, clock."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.base.instances import processes
from sandbox.base.run import GRPC_PROCESSES, RunInfo, read_document, write_atomically
from sandbox.runtime.local import ports

REQUEST, FAILED, PID = "request.json", "failed.json", "supervisor.pid"  # in the run directory
_MAX_SOCKET_PATH = 100  # bytes; sun_path holds 108 on Linux and 104 on macOS, with its end


@dataclass(frozen=True)
class Request:
    """What `up` asks of the supervisor: RUN/request.json. world_start: world seconds since the epoch."""

    world: str
    world_dir: str
    world_start: float
    speed: float
    seed: int

    def save(self, run_dir: Path) -> None:
        write_atomically(run_dir / REQUEST, json.dumps(asdict(self)))

    @classmethod
    def load(cls, run_dir: Path) -> Request:
        """Raises RUN-001 when nothing was asked there, CFG-003 when it cannot be read."""
        return read_document(run_dir / REQUEST, lambda fields: cls(**fields), "RUN-001")


def plan(request: Request, run_dir: Path, attempt: int = 0, replicas: Mapping[str, int] | None = None) -> RunInfo:
    """The run as all of its processes will know it. attempt: 0, then counting up when a port was taken. replicas:
    service -> instances; None for one of each."""
    names = processes(GRPC_PROCESSES, dict(replicas or {}))
    n = len(names)
    free = ports.pick(2 * n, run_dir, attempt)
    sockets = _short_directory(run_dir)
    address = [f"{ports.LOOPBACK}:{port}" for port in free]
    return RunInfo(
        run_dir=str(run_dir),
        world=request.world,
        world_dir=request.world_dir,
        world_start=request.world_start,
        wall_start=time.time(),
        speed=request.speed,
        seed=request.seed,
        redis=str((Path(sockets) if sockets else run_dir) / "redis.sock"),
        addresses=dict(zip(names, address[:n], strict=True)),
        metrics=dict(zip(names, address[n:], strict=True)),
        sockets=sockets,
    )


def _short_directory(run_dir: Path) -> str:
    """Empty when sockets fit into run_dir, else a directory whose path is short enough for them."""
    longest = run_dir / "ctl-materialiser.sock"
    if len(os.fsencode(longest)) <= _MAX_SOCKET_PATH:
        return ""
    return tempfile.mkdtemp(prefix="sandbox-")


def require_speed(speed: float) -> None:
    """Raises CFG-001. speed: world seconds per wall second."""
    if not 0.01 <= speed <= 3600:
        raise SandboxError(
            "CFG-001",
            where="speed",
            seen=speed,
            expected="0.01 to 3600 world seconds per wall second",
            fix="leave it out for 60",
        )


def require_seed(seed: int) -> None:
    """Raises CFG-001."""
    if not 0 <= seed < 2**63:
        raise SandboxError(
            "CFG-001",
            where="seed",
            seen=seed,
            expected="a whole number from 0 to 2^63 - 1",
            fix="choose a small one, such as 7",
        )
