"""One process of a run as its supervisor sees it: command, start, end, health, and why it failed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sandbox.base.errors import SandboxError
from sandbox.base.instances import instance_of, service_of
from sandbox.base.run import GRPC_PROCESSES, RunInfo, ServiceInfo
from sandbox.runtime import settings, tether
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.local import redis_server
from sandbox.runtime.local.child import PORT_TAKEN, failure_file
from sandbox.runtime.rundir import last_lines
from services.skeleton.store import FAILURES, connect


class Process:
    """A child of the supervisor. Its restarts are decided by the supervisor, not here. name: as
    sandbox.base.instances names processes."""

    def __init__(self, name: str, run: RunInfo, redis_executable: str) -> None:
        self.name, self.service, self.run = name, service_of(name), run
        self.redis_executable = redis_executable
        address = run.redis if name == "redis" else run.addresses.get(name, "")
        self.info = ServiceInfo(self.service, instance_of(name), None, address, "down", False, 0, 0.0)
        self.child: asyncio.subprocess.Process | None = None
        self.log = run.path / "logs" / f"{name}.log"
        self.failures_in_a_row = 0  # health checks
        self.crashes_in_a_row = 0
        self.started = 0.0  # of the event loop, seconds
        self.ready_once = asyncio.Event()
        self._channel: aio.Channel | None = None

    def command(self) -> list[str]:
        """Every command ends the process when the supervisor dies."""
        if self.name == "redis":
            tie = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
            return [*tie, *redis_server.command(self.redis_executable, self.run.path, self.run.redis)]
        return [sys.executable, "-m", "sandbox.runtime.local.child", self.name, self.run.run_dir]

    async def start(self) -> None:
        """Returns when the process exists, which is long before it is ready."""
        self.info.state, self.info.healthy, self.failures_in_a_row = "starting", False, 0
        self.ready_once = asyncio.Event()
        failure_file(self.run.path, self.name).unlink(missing_ok=True)
        if self.name == "redis":
            Path(self.run.redis).unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.child = await asyncio.create_subprocess_exec(
                *self.command(), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=child_environment(), start_new_session=True,  # Ctrl-C is for the supervisor alone
            )  # fmt: skip
        self.info.pid, self.info.started_wall = self.child.pid, time.time()
        self.started = asyncio.get_running_loop().time()

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.returncode is None

    async def stop(self, within_s: float = settings.STOP_S) -> int | None:
        """SIGTERM, and SIGKILL when it has not ended in time. Returns the exit code."""
        if self.child is None:
            return None
        self.info.state, self.info.healthy = "draining", False
        with suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.child.wait(), within_s)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.child.kill()
            await self.child.wait()
        self.info.state, self.info.pid = "down", None
        await self.forget_channel()
        return self.child.returncode

    def why_not_ready(self, within_s: float) -> SandboxError:
        """What it said when it ended instead of becoming ready, or RUN-003. within_s: it had so long."""
        code = self.child.returncode if self.child else None
        if code == PORT_TAKEN:
            return SandboxError(
                "RUN-006",
                where=self.name,
                seen=self.info.address,
                expected="a free port",
                fix="start the stack anew: it picks free ports",
            )
        with suppress(OSError, ValueError):
            return control.from_json(json.loads(failure_file(self.run.path, self.name).read_text()))
        how = f"exit code {code}" if code is not None else f"not ready after {within_s:g} s"
        return SandboxError(
            "RUN-003",
            where=self.name,
            seen=f"{how}; last lines of its log:\n{last_lines(self.log)}",
            expected="a process that becomes ready",
            fix=f"read {self.log}; check the machine: sandbox doctor",
        )

    async def forget_channel(self) -> None:
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    async def check(self) -> bool:
        """Whether it serves: gRPC health, PING, or an answer at the control endpoint."""
        try:
            async with asyncio.timeout(settings.HEALTH_TIMEOUT_S):
                if self.name == "redis":
                    return await redis_answers(self.run.redis)
                if self.service in GRPC_PROCESSES:
                    return await self._check_grpc()
                answer = await control.ask_async(Endpoint.of(self.run, self.name), "ping")
                listens = self.name != "collector" or self.run.collector_socket.exists()
                return listens and bool(answer.get("ready", True))
        except (TimeoutError, SandboxError, aio.AioRpcError):
            return False

    async def _check_grpc(self) -> bool:
        if self._channel is None:
            self._channel = aio.insecure_channel(
                self.info.address,
                options=(
                    ("grpc.initial_reconnect_backoff_ms", 100),
                    ("grpc.min_reconnect_backoff_ms", 100),
                    ("grpc.max_reconnect_backoff_ms", 300),
                ),
            )
        answer = await health_pb2_grpc.HealthStub(self._channel).Check(
            health_pb2.HealthCheckRequest(), timeout=settings.HEALTH_TIMEOUT_S
        )
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def run_to_end(job: str, run_dir: Path) -> None:
    """Runs a program of the run that ends by itself, sandbox.runtime.JOB. Raises what it said when it
    failed, or RUN-003."""
    log_path = run_dir / "logs" / f"{job}.log"
    failure_file(run_dir, job).unlink(missing_ok=True)
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"sandbox.runtime.{job}", str(run_dir),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            env=child_environment(), start_new_session=True,
        )  # fmt: skip
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        raise
    if code:
        with suppress(OSError, ValueError):
            raise control.from_json(json.loads(failure_file(run_dir, job).read_text()))
        raise SandboxError(
            "RUN-003",
            where=job,
            seen=f"exit code {code}; last lines of its log:\n{last_lines(log_path)}",
            expected="a job that succeeds",
            fix=f"read {log_path}",
        )


def child_environment() -> dict[str, str]:
    """For every process that this one starts: it ends with its supervisor."""
    return {**os.environ, **settings.CHILD_ENVIRONMENT, tether.SUPERVISOR: str(os.getpid())}


async def redis_answers(address: str) -> bool:
    """Whether a store answers at `RunInfo.redis`."""
    client = connect(address, timeout_s=settings.HEALTH_TIMEOUT_S)
    try:
        return bool(await client.ping())
    except FAILURES:
        return False
    finally:
        await client.aclose()
