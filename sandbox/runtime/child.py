"""One process of a run: `python -m sandbox.runtime.child NAME [RUN_DIR]`.

Serves until SIGTERM, then drains. Takes orders at its control socket; only there, and only by whoever
started the stack, are wrappers put on its seams.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.base.errors import SandboxError
from sandbox.base.run import GRPC_PROCESSES, STREAM, RunInfo, write_atomically
from sandbox.runtime import control
from sandbox.runtime.lossy_log import lose_lines_on_a_full_disk
from sandbox.runtime.settings import ContainerSettings
from sandbox.runtime.tether import tether_to_supervisor

if TYPE_CHECKING:
    from services.skeleton.host import Host
    from services.skeleton.seams import Seam, Wrapper

PORT_TAKEN = 98  # exit code when a port of the run is in use: the supervisor picks others
_MODULES = {name: f"services.{name}.server" for name in GRPC_PROCESSES} | {
    STREAM: "services.events.processor"
}
_PLAIN = ("collector", "materialiser")  # processes without gRPC


class Child:
    """What the control socket reaches: the seams of this process, and whether it is ready."""

    def __init__(self, name: str, host: Host | None) -> None:
        self.name, self.host = name, host
        self.armed: dict[str, tuple[Seam, Wrapper]] = {}
        self.extra: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {}

    async def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        op = order["op"]
        if op in self.extra:
            return await self.extra[op]()
        if op == "ping":
            return {"pid": os.getpid()}
        if op == "list":
            return {"ids": sorted(self.armed)}
        if op == "arm":
            self._arm(order)
            return {"id": order["id"]}
        if op == "disarm":
            seam, wrapper = self.armed.pop(str(order.get("id")), (None, None))
            if seam is not None and wrapper is not None:
                seam.take_off(wrapper)
            return {"was_armed": wrapper is not None}
        raise SandboxError(
            "CFG-003", where=f"{self.name} control", seen=op,
            expected=f"ping, list, arm, disarm{''.join(', ' + e for e in self.extra)}",
            fix="use sandbox.runtime.stack",
        )  # fmt: skip

    def _arm(self, order: dict[str, Any]) -> None:
        if self.host is None:
            raise SandboxError(
                "FLT-003", where=self.name, seen=order.get("fault"), expected="a process with seams",
                fix=f"name one of {list(GRPC_PROCESSES)}",
            )  # fmt: skip
        key = str(order.get("id") or "")
        if not key or key in self.armed:
            raise SandboxError(
                "FLT-003", where=self.name, seen=key, expected="an id that is not armed here",
                fix="disarm it first, or give another id",
            )  # fmt: skip
        arming = importlib.import_module(
            "faults.arming"
        )  # nothing of it is here until it is asked for
        spec = {k: v for k, v in order.items() if k not in ("op", "id")}
        seam_name, wrapper = arming.wrapper_for(spec, self.host.seams, self.name)
        seam = self.host.seams.named(seam_name)
        seam.put(wrapper)
        self.armed[key] = (seam, wrapper)


async def _serve(name: str, run: RunInfo) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    child = Child(name, None)
    if name == "collector":
        serving = importlib.import_module("sandbox.telemetry.collector").serve(run, stop)
    elif name == "materialiser":
        job = importlib.import_module("sandbox.runtime.materialiser").Materialiser(run)
        child.extra, serving = job.orders, job.serve(stop)
    else:
        registration = importlib.import_module(_MODULES[name]).REGISTRATION
        from services.skeleton.host import Host, serve

        child.host = Host(name, run, instance=f"{name}-0")
        serving = serve(child.host, registration, stop)
    orders = await control.listen(run.control_socket(name), child.answer)
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
        if name not in _MODULES and name not in _PLAIN:
            raise SandboxError(
                "RUN-007", where="child", seen=name, expected=f"one of {sorted([*_MODULES, *_PLAIN])}",
                fix="name a process of the stack",
            )  # fmt: skip
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
