"""So many instances of each service as its document says, and the word to callers of where they are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sandbox.base.errors import SandboxError
from sandbox.base.instances import SCALABLE, processes
from sandbox.base.run import RunInfo, save_endpoints
from sandbox.runtime import settings
from sandbox.runtime.local import ports
from sandbox.runtime.local.processes import Process

Endpoints = dict[str, dict[str, str]]  # service -> instance -> address


class Keeper(Protocol):
    """Who has the processes: the supervisor."""

    run: RunInfo
    processes: dict[str, Process]

    async def begin(self, process: Process) -> None: ...  # starts it; returns when it is ready, or raises why not
    async def put_to_rest(self, process: Process) -> None: ...
    def publish(self) -> None: ...


def endpoints_of(there: Mapping[str, Process]) -> Endpoints:
    """Those of services with several instances that can be called now. A service of which none can is left out: then
    callers go on with what they know."""
    told: Endpoints = {}
    for process in there.values():
        if process.service in SCALABLE and process.info.healthy:
            told.setdefault(process.service, {})[process.info.instance] = process.info.address
    return told


def tell(run_dir: Path, there: Mapping[str, Process], before: Endpoints) -> Endpoints:
    """Writes them where callers look, if they are others than before. Raises OSError on a full disk."""
    now = endpoints_of(there)
    if now != before:
        save_endpoints(run_dir, now)
    return now


async def follow(keeper: Keeper, replicas: Mapping[str, int]) -> None:
    """Starts what is missing and ends what is too many, the last first. replicas: service -> instances.

    Raises what kept an instance from coming up (RUN-003, RUN-006, MODEL-*): then it is gone again, and those that
    came up before it stay.
    """
    wanted = processes(SCALABLE, dict(replicas))
    for name in [n for n, p in keeper.processes.items() if p.service in SCALABLE and n not in wanted]:
        await _give_up(keeper, keeper.processes[name])
    for name in wanted:
        if name not in keeper.processes:
            await _add(keeper, name)


async def _add(keeper: Keeper, name: str) -> None:
    for attempt in range(settings.PORT_ATTEMPTS):
        address, metrics = (f"{ports.LOOPBACK}:{port}" for port in ports.pick(2, keeper.run.path / name, attempt))
        keeper.run = keeper.run.with_process(name, address, metrics)
        keeper.run.save()
        process = keeper.processes[name] = Process(name, keeper.run, "")
        try:
            return await keeper.begin(process)
        except BaseException as error:
            await _give_up(keeper, process)
            taken = isinstance(error, SandboxError) and error.kind.code == "RUN-006"
            if not taken or attempt + 1 == settings.PORT_ATTEMPTS:
                raise


async def _give_up(keeper: Keeper, process: Process) -> None:
    """Callers hear of it first; what it still handles it brings to its end."""
    del keeper.processes[process.name]
    keeper.publish()
    await keeper.put_to_rest(process)
    keeper.run = keeper.run.without_process(process.name)
    with suppress(OSError):  # a full disk: the run then names one that is not there, and callers know better
        keeper.run.save()
