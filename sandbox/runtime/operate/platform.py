"""What operations act on: the processes of a live stack, or their like on the virtual backend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import grpc
from grpc import aio

from sandbox.base import artefacts
from sandbox.base.config import Config
from sandbox.base.instances import SCALABLE
from sandbox.base.load import LoadTest
from sandbox.base.run import SERVICES, STREAM, RunInfo
from sandbox.runtime import event_stream, load_test, store_settings
from sandbox.runtime.rows import send_rows
from sandbox.runtime.stack import Stack
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc
from services.skeleton.status import from_rpc_error

RELOAD_S = 30.0  # a model server may have to load a version first


class Platform(Protocol):
    """Every method raises SandboxError when the thing cannot be done."""

    def now(self) -> float: ...  # world seconds since the epoch
    def reload(self, services: Iterable[str]) -> dict[str, int]: ...
    def rows(self, table: str, rows: Sequence[Sequence[Any]]) -> None: ...
    def restart(self, process: str) -> None: ...
    def backlog(self) -> int: ...  # entries of the event stream that are not processed yet
    def skip(self) -> int: ...
    def replay(self, minutes: float) -> None: ...
    def versions_of(self, artifact: str) -> list[str]: ...  # that could be promoted, in order
    def load_test(self, test: LoadTest | None) -> None: ...  # beside the users, from now on; None ends it


class LivePlatform:
    """The processes of a run."""

    def __init__(self, run: RunInfo) -> None:
        self.run, self._clock = run, run.clock()

    def now(self) -> float:
        return self._clock.now()

    def reload(self, services: Iterable[str]) -> dict[str, int]:
        """Has services read their documents anew, all instances of each, and brings them to as many as these say.
        Returns the version now in force, by service.

        Raises what a service answers, or what kept an instance from starting: then the old configuration stays in
        force there.
        """
        services = list(services)
        wanted = [s for s in services if s in (*SERVICES, STREAM)]
        if "redis" in services:
            store_settings.put_in_force(self.run, Config.load(self.run.path).redis)
        if scaled := [s for s in wanted if s in SCALABLE]:
            self._scale(scaled)
        run = RunInfo.load(self.run.path)
        there = [(service, address) for service in wanted for address in run.instances(service).values()]
        return asyncio.run(self._reload(there))

    def _scale(self, services: list[str]) -> None:
        """Where the documents say another number of instances than there are."""
        run, config = RunInfo.load(self.run.path), Config.load(self.run.path)
        if any(config.replicas[service] != max(1, len(run.instances(service))) for service in services):
            Stack(run.path).scale()

    async def _reload(self, there: list[tuple[str, str]]) -> dict[str, int]:
        versions = {}
        for service, address in there:
            async with aio.insecure_channel(address) as channel:
                stub: Any = admin_pb2_grpc.AdminStub(channel)
                try:
                    answer = await stub.Reload(admin_pb2.ReloadRequest(), timeout=RELOAD_S, wait_for_ready=True)
                except grpc.RpcError as error:
                    raise from_rpc_error(error, f"operator->{service}") from None
            versions[service] = int(answer.config_version)
        return versions

    def rows(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Rows for the lake; lost while the collector is away."""
        send_rows(self.run, table, rows)

    def restart(self, process: str) -> None:
        Stack(self.run.path).restart(process)

    def backlog(self) -> int:
        return event_stream.backlog(self.run)

    def skip(self) -> int:
        return event_stream.skip(self.run)

    def replay(self, minutes: float) -> None:
        event_stream.replay(self.run, minutes)

    def versions_of(self, artifact: str) -> list[str]:
        return artefacts.names(self.run.registries, artifact)

    def load_test(self, test: LoadTest | None) -> None:
        load_test.begin(self.run, test)
