"""A run directory: one stack that is, or was, up. What every process of a run agrees on.

RUN/run.json        fixed when the run begins, but for the addresses of instances that come and go (RunInfo)
RUN/endpoints.json  the instances that can be called, as callers find them (save_endpoints)
RUN/services.json   the supervisor's latest view of its processes (list of ServiceInfo)
RUN/config.json     the configuration documents in force (sandbox.base.config)
RUN/lake/           telemetry
RUN/logs/           one log per process
RUN/outcomes.journal  feedback that was acknowledged, before the lake has it
RUN/*.sock          control and collector sockets
RUN/control.token   where orders come over TCP: the secret that they carry, for this user alone
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sandbox.base import paths
from sandbox.base.clock import WorldClock
from sandbox.base.errors import SandboxError
from sandbox.base.instances import SCALABLE, instance_of, processes, service_of, split
from sandbox.base.locks import is_held

T = TypeVar("T")

SERVICES = ("features", "model", "retrieval", "ranking", "rules", "events", "gateway")  # start order
STREAM = "stream"  # the stream processor: a process of the events service without RPCs of its own
GRPC_PROCESSES = (*SERVICES, STREAM)  # have a gRPC port (health, admin) and a metrics port
ENDPOINTS = "endpoints.json"
STACK_LOCK, DRILL_LOCK = "lock", "drill.lock"  # held by the supervisor, by a drill
CONTROLLED = ("collector", "materialiser", *GRPC_PROCESSES)  # take orders
PROCESSES = ("redis", *CONTROLLED)


@dataclass(frozen=True)
class RunInfo:
    """run_dir and world_dir: absolute paths. world_start: world seconds since the epoch at wall_start
    (`time.time()`). speed: world seconds per wall second. redis: unix socket path of the store, or
    host:port where it runs on another machine. sockets: directory of the unix sockets, empty for
    run_dir itself: a socket's path may not be longer than about 100 bytes, a run_dir may. backend: live
    (processes), or virtual (one process that has ended or holds the run itself). controls: process ->
    host:port at which it takes orders, empty where they come over unix sockets and a supervisor runs."""

    run_dir: str
    world: str
    world_dir: str
    world_start: float
    wall_start: float
    speed: float
    seed: int
    redis: str
    addresses: dict[str, str]  # process -> host:port of its gRPC server; a service's further instances are processes
    metrics: dict[str, str]  # process -> host:port of /metrics
    sockets: str = ""
    backend: str = "live"
    controls: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return Path(self.run_dir)

    @property
    def lake(self) -> Path:
        return self.path / "lake"

    @property
    def outcomes_journal(self) -> Path:
        """Feedback that was acknowledged, a row a line, until the lake has it."""
        return self.path / "outcomes.journal"

    @property
    def registries(self) -> tuple[Path, Path]:
        """Where versions of artefacts are looked for: the run's own, then the world's."""
        return self.path / "registry", Path(self.world_dir) / "registry"

    @property
    def collector_socket(self) -> Path:
        return self.sockets_dir / "collector.sock"

    @property
    def sockets_dir(self) -> Path:
        return Path(self.sockets or self.run_dir)

    def control_socket(self, name: str) -> Path:
        """Where the process `name` takes orders from the runtime (JSON lines)."""
        return self.sockets_dir / f"ctl-{name}.sock"

    def control(self, name: str) -> str:
        """The endpoint at which the process `name` takes orders: unix:PATH or HOST:PORT."""
        return self.controls.get(name) or f"unix:{self.control_socket(name)}"

    @property
    def supervised(self) -> bool:
        """Whether a supervisor watches the processes; without one, as in containers, each has a port."""
        return not self.controls

    def redis_kwargs(self) -> dict[str, Any]:
        """How redis.Redis or redis.asyncio.Redis reaches the store."""
        if self.redis.startswith("/"):
            return {"unix_socket_path": self.redis}
        host, port = self.redis.rsplit(":", 1)
        return {"host": host, "port": int(port)}

    def instances(self, service: str) -> dict[str, str]:
        """Instance -> address of its gRPC server, in the order of their numbers."""
        mine = [process for process in self.addresses if service_of(process) == service]
        mine.sort(key=lambda process: split(process)[1])
        return {instance_of(process): self.addresses[process] for process in mine}

    def processes(self) -> tuple[str, ...]:
        """All processes of the run, each service's together."""
        several = {service: len(self.instances(service)) for service in SCALABLE}
        return processes(PROCESSES, {service: max(1, n) for service, n in several.items()})

    def with_process(self, process: str, address: str, metrics: str) -> RunInfo:
        """The run with one instance more."""
        return replace(self, addresses={**self.addresses, process: address}, metrics={**self.metrics, process: metrics})

    def without_process(self, process: str) -> RunInfo:
        """The run with one instance less."""
        left = [{k: v for k, v in of.items() if k != process} for of in (self.addresses, self.metrics)]
        return replace(self, addresses=left[0], metrics=left[1])

    def clock(self) -> WorldClock:
        return WorldClock(self.world_start, self.wall_start, self.speed)

    def save(self) -> None:
        write_atomically(self.path / "run.json", json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, run_dir: Path) -> RunInfo:
        """Raises RUN-001 when there is no run in that directory, CFG-003 when run.json is malformed."""
        return read_document(run_dir / "run.json", lambda fields: cls(**fields), "RUN-001")


@dataclass
class ServiceInfo:
    """One process of the run. name: its service. instance: service-number. state: starting, ready, draining or down."""

    name: str
    instance: str
    pid: int | None
    address: str
    state: str
    healthy: bool
    restarts: int
    started_wall: float  # `time.time()` of its latest start


def save_services(run_dir: Path, services: list[ServiceInfo]) -> None:
    write_atomically(run_dir / "services.json", json.dumps([asdict(s) for s in services]))


def load_services(run_dir: Path) -> list[ServiceInfo]:
    """Empty when the supervisor has not written any yet."""
    try:
        return [ServiceInfo(**row) for row in json.loads((run_dir / "services.json").read_text())]
    except FileNotFoundError:
        return []


def save_endpoints(run_dir: Path, endpoints: dict[str, dict[str, str]]) -> None:
    """endpoints: service -> instance -> address, of those that can be called."""
    write_atomically(run_dir / ENDPOINTS, json.dumps(endpoints))


def load_endpoints(run_dir: Path) -> dict[str, dict[str, str]]:
    """Empty where nobody tells. Raises CFG-003 when it is malformed."""
    path = run_dir / ENDPOINTS
    return read_document(path, dict, "RUN-001") if path.exists() else {}


def latest_run() -> Path:
    """The run directory of the newest stack or drill that is up; of the newest there was, where none is.
    Raises RUN-001 when there never was one."""
    link = paths.runs() / "latest"
    if link.exists() and is_alive(link.resolve()):  # which may lie anywhere
        return link.resolve()
    there = paths.runs().iterdir() if paths.runs().is_dir() else ()
    up = [path for path in there if not path.is_symlink() and is_alive(path)]
    return max(up, key=lambda path: path.name).resolve() if up else newest_run()


def newest_run() -> Path:
    """The run directory of the newest stack or drill, up or not. Raises RUN-001 when there is none."""
    link = paths.runs() / "latest"
    if not link.exists():
        raise SandboxError(
            "RUN-001",
            where="latest run",
            seen=str(link),
            expected="a stack that was started",
            fix="start one: sandbox up; or name one: --run-dir DIR",
        )
    return link.resolve()


def is_alive(run_dir: Path) -> bool:
    """Whether a supervisor or a drill holds the run directory: its lock goes with its process."""
    return any(is_held(run_dir / name) for name in (STACK_LOCK, DRILL_LOCK))


def read_document(path: Path, make: Callable[[Any], T], absent: str) -> T:
    """What `make` makes of a JSON file of a run directory.

    Raises `absent` (a code) when there is no such file, CFG-003 when it is malformed.
    """
    try:
        return make(json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise SandboxError(
            absent,
            where="run directory",
            seen=str(path.parent),
            expected="a directory made by `sandbox up`",
            fix="start a stack: sandbox up",
        ) from error
    except (ValueError, TypeError) as error:
        raise SandboxError(
            "CFG-003",
            where=str(path),
            seen=str(error)[:500],
            expected="the file that `sandbox up` wrote",
            fix="undo the last change to it, or start a new stack: sandbox up",
        ) from error


def write_atomically(path: Path, text: str, *, to_disk: bool = False) -> None:
    """Whoever reads sees the old text or the new one, never a part. to_disk: also after a loss of power. Raises
    OSError on a full disk."""
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w") as file:
            file.write(text)
            if to_disk:
                file.flush()
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
