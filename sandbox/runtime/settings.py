"""Settings of the runtime, each with unit and reason. The environment is read here and nowhere else
of the runtime: it is how a container is told where the run is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.runtime.threads import ONE_THREAD

READY_S = 90.0  # wall seconds that a whole stack gets to become ready on a busy machine
STOP_S = 8.0  # wall seconds between SIGTERM and SIGKILL: the drain of a service and a margin
HEALTH_EVERY_S = 1.0  # wall seconds between health checks
HEALTH_TIMEOUT_S = 1.5  # wall seconds that a health check may take
UNHEALTHY_AFTER = 3  # failed checks in a row until a process counts as unhealthy
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # wall seconds before the n-th restart in a row
STEADY_S = 30.0  # wall seconds of life after which a crash is the first in a row again
MIN_FREE_MB = 64  # free space without which no run is begun: a drill writes tens of MB
PORTS = range(20_000, 32_000)  # below Linux' ephemeral range, so that no outgoing call takes one
PORT_ATTEMPTS = 3  # times that other ports are picked when one was taken meanwhile

CHILD_ENVIRONMENT = {
    **ONE_THREAD,  # nine processes share few cores
    "MALLOC_ARENA_MAX": "2",  # glibc would keep an arena per thread: memory that idles
    "GRPC_ENABLE_FORK_SUPPORT": "0",  # no process of ours forks after start; the support costs locks
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class ContainerSettings:
    """Where each process of a run is when every one has a machine of its own.

    run_dir: on a volume that all share. addresses, metrics, controls: process -> host:port. redis: host:port.
    """

    run_dir: Path
    world: str
    speed: float
    seed: int
    redis: str
    addresses: dict[str, str]
    metrics: dict[str, str]
    controls: dict[str, str]

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> ContainerSettings:
        """From SANDBOX_RUN_DIR, SANDBOX_WORLD, SANDBOX_SPEED, SANDBOX_SEED, SANDBOX_REDIS,
        SANDBOX_ADDRESSES, SANDBOX_METRICS and SANDBOX_CONTROLS (name=host:port, comma separated).
        Raises CFG-001."""
        run_dir = environment.get("SANDBOX_RUN_DIR", "")
        if not run_dir:
            raise _refused("SANDBOX_RUN_DIR", run_dir, "the run directory")
        return cls(
            run_dir=Path(run_dir),
            world=environment.get("SANDBOX_WORLD", "laptop"),
            speed=_number(environment, "SANDBOX_SPEED", 60.0),
            seed=int(_number(environment, "SANDBOX_SEED", 1)),
            redis=environment.get("SANDBOX_REDIS", ""),
            addresses=_pairs(environment, "SANDBOX_ADDRESSES"),
            metrics=_pairs(environment, "SANDBOX_METRICS"),
            controls=_pairs(environment, "SANDBOX_CONTROLS"),
        )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(environment.get(name, default))
    except ValueError:
        raise _refused(name, environment[name], "a number") from None


def _pairs(environment: Mapping[str, str], name: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in environment.get(name, "").split(","))):
        key, equals, address = part.partition("=")
        host, colon, port = address.rpartition(":")
        if not (equals and colon and host and port.isdigit()):
            raise _refused(name, part, "name=host:port, comma separated")
        pairs[key] = address
    return pairs


def _refused(name: str, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-001",
        where=f"environment {name}",
        seen=seen,
        expected=expected,
        fix="see docker-compose.yml for every variable",
    )
