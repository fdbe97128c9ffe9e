"""One process of a run: `python -m sandbox.runtime.local.child NAME [RUN_DIR]`.

Serves until SIGTERM, then drains. Takes orders at its control endpoint; only there, and only by whoever
started the stack, are wrappers put on its seams.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.instances import instance_of, named, service_of
from sandbox.base.run import GRPC_PROCESSES, STREAM, RunInfo, write_atomically
from sandbox.runtime.arming import control
from sandbox.runtime.arming.armoury import Armoury
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.local.lossy_log import lose_lines_on_a_full_disk
from sandbox.runtime.settings import ContainerSettings
from sandbox.runtime.tether import tether_to_supervisor

PORT_TAKEN = 98  # exit code when a port of the run is in use: the supervisor picks others
_MODULES = {name: f"services.{name}.server" for name in GRPC_PROCESSES} | {STREAM: "services.events.processor"}
_PLAIN = ("collector", "materialiser")  # processes without gRPC


class Child:
    """What the control endpoint reaches: the seams of this process, and orders of its own.

    may_end: whether it drains and ends by order, as is right where whoever runs it starts it again.
    """

    def __init__(self, name: str, stop: asyncio.Event, *, may_end: bool) -> None:
        self.armoury = Armoury(service_of(name), None)
        self.extra: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {}
        self._stop, self._may_end = stop, may_end
        self._life = f"{os.getpid()}-{time.time_ns()}"  # in containers a pid alone is the same each time

    async def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        op = order["op"]
        if op == "end" and self._may_end:
            self._stop.set()
            return {}
        told = await self.extra[op]() if op in self.extra else self.armoury.answer(order)
        return {**told, "life": self._life} if op == "ping" else told


async def _serve(name: str, run: RunInfo) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    child = Child(name, stop, may_end=not run.supervised)
    if name == "collector":
        collector = importlib.import_module("sandbox.telemetry.collector").Collector(run, named(name))
        child.armoury.seams, serving = collector.seams, collector.serve(stop)
    elif name == "materialiser":
        job = importlib.import_module("sandbox.runtime.materialiser").Materialiser(run)
        child.extra, serving = job.orders, job.serve(stop)
        child.armoury.seams = job.seams
    else:
        registration = importlib.import_module(_MODULES[service_of(name)]).REGISTRATION
        from services.skeleton.host import Host, serve

        host = Host(service_of(name), run, instance=instance_of(name))
        child.armoury.seams = host.seams
        serving = serve(host, registration, stop)
    orders = await control.listen(Endpoint.of(run, name), child.answer)
    try:
        await serving
    finally:
        orders.close()
        with suppress(OSError):
            run.control_socket(name).unlink(missing_ok=True)


def main(argv: list[str]) -> int:
    """argv: NAME [RUN_DIR]; without RUN_DIR the environment of a container says where the run is."""
    tether_to_supervisor()
    lose_lines_on_a_full_disk()
    name = argv[0] if argv else ""
    run_dir = Path(argv[1]) if len(argv) > 1 else ContainerSettings.read().run_dir
    try:
        if service_of(name) not in _MODULES and name not in _PLAIN:
            raise SandboxError(
                "RUN-007",
                where="child",
                seen=name,
                expected=f"one of {sorted([*_MODULES, *_PLAIN])}",
                fix="name a process of the stack",
            )
        asyncio.run(_serve(name, RunInfo.load(run_dir)))
    except SandboxError as error:
        print(f"error {error}", file=sys.stderr, flush=True)  # noqa: T201 the process's own log file
        with suppress(OSError):
            write_atomically(failure_file(run_dir, name), json.dumps(error.as_json()))
        return PORT_TAKEN if error.kind.code == "RUN-006" else 1
    return 0


def failure_file(run_dir: Path, name: str) -> Path:
    """Where a process that could not start leaves its typed error."""
    return run_dir / "logs" / f"{name}.failed.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
