"""A run that no supervisor watches, as in containers: each process is asked by itself.

A process can be told to end, and whoever runs the containers starts it again. What only a supervisor can
do there, starting processes and taking all of them down, is refused.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.instances import meant, service_of
from sandbox.base.run import CONTROLLED, RunInfo, ServiceInfo
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.local.processes import Process
from sandbox.runtime.settings import READY_S, STOP_S

ORDER_S = 5.0  # wall seconds for one order: arming loads the fault's code first
LOOK_S = 1.0  # wall seconds for a look at whether a process is there
_LOOK_EVERY_S = 0.15  # wall seconds between two looks at one that is coming up
MORE = "give it a container and an address in SANDBOX_ADDRESSES, SANDBOX_METRICS and SANDBOX_CONTROLS; start anew"
_ASKED_FIRST = ("gateway", "collector")  # of a stack that is up one of these nearly always answers


def answers(run: RunInfo) -> bool:
    """Whether any process takes orders. One that refuses ours is there all the same."""
    for name in dict.fromkeys((*_ASKED_FIRST, *_controlled(run))):
        try:
            control.ask(Endpoint.of(run, name), "ping", timeout_s=LOOK_S)
            return True
        except SandboxError as error:
            if error.kind.code == "RUN-010":
                return True
    return False


def services(run: RunInfo) -> list[ServiceInfo]:
    """Every process by its own health check. Who restarts them counts that, and their pids mean nothing here."""
    return asyncio.run(_services(run))


async def _services(run: RunInfo) -> list[ServiceInfo]:
    return list(await asyncio.gather(*(_service(Process(name, run, "")) for name in run.processes())))


async def _service(process: Process) -> ServiceInfo:
    try:
        process.info.healthy = await process.check()
    finally:
        await process.forget_channel()
    process.info.state = "ready" if process.info.healthy else "down"
    return process.info


def arm(run: RunInfo, name: str, spec: dict[str, Any]) -> str:
    """Puts a wrapper on, in all instances of a service. Raises FLT-001..003, RUN-001, RUN-007, RUN-010."""
    order = {"since": run.clock().now(), **{k: v for k, v in spec.items() if v is not None}}
    done: list[Endpoint] = []
    try:
        for at in _endpoints(run, name):
            told = control.ask(at, "arm", timeout_s=ORDER_S, **order)
            done.append(at)
    except SandboxError:
        for at in done:
            with suppress(SandboxError):
                control.ask(at, "disarm", timeout_s=ORDER_S, id=order["id"])
        raise
    return str(told["id"])


def disarm(run: RunInfo, name: str, id: str) -> bool:
    """Takes a wrapper off. False when there was none of that id. Raises as `arm`."""
    told = [control.ask(at, "disarm", timeout_s=ORDER_S, id=id) for at in _endpoints(run, name)]
    return any(bool(one["was_armed"]) for one in told)


def restart(run: RunInfo, name: str, *, within_s: float = READY_S + STOP_S) -> None:
    """Has a process drain and end, and returns when the next life of it is ready; of a service with several one after
    the other. Raises RUN-003 when nobody
    starts it again, RUN-011 for Redis, which takes no orders, and as `arm`."""
    if name == "redis":
        raise refusal(run, "restart of redis", "docker compose restart redis, then materialiser: it comes back empty")
    for process in _named(run, name):
        asyncio.run(_restart(run, process, within_s))


async def _restart(run: RunInfo, name: str, within_s: float) -> None:
    at, process = Endpoint.of(run, name), Process(name, run, "")
    try:
        async with asyncio.timeout(within_s):
            before = (await control.ask_async(at, "ping"))["life"]
            await control.ask_async(at, "end")
            while not await _lives_again(at, process, before):
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError as error:
        raise SandboxError(
            "RUN-003",
            where=name,
            seen=f"ended by order, not ready again after {within_s:g} s",
            expected="a container that is started again: restart: unless-stopped",
            fix=f"docker compose up -d {name}; docker compose logs {name}",
        ) from error
    finally:
        await process.forget_channel()


async def _lives_again(at: Endpoint, process: Process, before: str) -> bool:
    with suppress(SandboxError, TimeoutError):
        told = await control.ask_async(at, "ping", timeout_s=LOOK_S)
        return told["life"] != before and await process.check()
    return False


def _controlled(run: RunInfo) -> list[str]:
    return [name for name in run.processes() if service_of(name) in CONTROLLED]


def _endpoints(run: RunInfo, name: str) -> list[Endpoint]:
    return [Endpoint.of(run, process) for process in _named(run, name)]


def _named(run: RunInfo, name: str) -> list[str]:
    """A process, or all of a service."""
    return meant(name, _controlled(run), "stack without a supervisor")


def refusal(run: RunInfo, what: str, fix: str) -> SandboxError:
    """Of what needs a supervisor. fix: what does it instead."""
    return SandboxError(
        "RUN-011",
        where=f"{what}, run directory {run.run_dir}",
        seen="a stack whose processes nobody of ours started",
        expected="one that `sandbox up` or `sandbox drill start` brought up",
        fix=fix,
    )


class Kept:
    """Wrappers that stay on while their processes come and go, in place of the supervisor's memory."""

    def __init__(self, run: RunInfo) -> None:
        self._run = run
        self._specs: dict[tuple[str, str], dict[str, Any]] = {}

    def arm(self, name: str, spec: dict[str, Any]) -> str:
        """As the function `arm`; the onset goes on where it was after a restart of the process."""
        spec = {**spec, "since": spec.get("since") or self._run.clock().now()}
        id = arm(self._run, name, spec)
        self._specs[name, id] = spec
        return id

    def disarm(self, name: str, id: str) -> bool:
        self._specs.pop((name, id), None)
        return disarm(self._run, name, id)

    def look(self) -> None:
        """Puts on again what a restarted process has lost; one that is away is asked the next time."""
        for (name, id), spec in self._specs.items():
            for at in _endpoints(self._run, name):
                with suppress(SandboxError):
                    if id not in control.ask(at, "list", timeout_s=LOOK_S)["ids"]:
                        control.ask(at, "arm", timeout_s=ORDER_S, **spec)
