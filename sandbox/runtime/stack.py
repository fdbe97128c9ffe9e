"""A running stack as programs use it: up, status, orders, down. The CLI, drills and tests stand on this."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from sandbox.base import paths
from sandbox.base.clock import iso
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.instances import MOST, named
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import ENDPOINTS, RunInfo, ServiceInfo, latest_run, load_services
from sandbox.base.worlds import load_manifest
from sandbox.runtime import settings
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.building import ensure_built
from sandbox.runtime.local import unsupervised
from sandbox.runtime.local.plan import FAILED, PID, Request, require_seed, require_speed
from sandbox.runtime.rundir import (
    clear_sockets,
    disk_error,
    in_use,
    is_locked,
    last_lines,
    point_latest_to,
    require_space,
    set_aside_earlier,
)


class Stack:
    """One run's stack. As a context manager it is taken down at the end of the block."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir.resolve()

    @classmethod
    def up(
        cls, world: str = "laptop", *, speed: float = 60.0, run_dir: Path | None = None, seed: int = 1,
        config: Config | None = None, progress: ProgressFn = quiet,
    ) -> Stack:  # fmt: skip
        """Builds the world and its models where they are missing, starts everything, returns when ready.

        speed: world seconds per wall second. run_dir: a fresh one when None. seed: of the run's draws.
        Raises CFG-001, RUN-002, RUN-003, RUN-005, WORLD-*, MODEL-*; then nothing is left running.
        """
        stack = prepare(world, speed, run_dir, seed, config, progress)
        log = stack.run_dir / "logs" / "supervisor.log"
        with log.open("ab") as out:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "sandbox.runtime.local.supervisor", str(stack.run_dir)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"},
            )
        try:
            stack._await_ready(supervisor.poll, settings.READY_S + 30, progress)
        except BaseException:  # Ctrl-C too
            with contextlib.suppress(ProcessLookupError):
                supervisor.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                supervisor.wait(30)
            if supervisor.poll() is None:
                supervisor.kill()
            stack._clear()
            raise
        return stack

    @classmethod
    def attach(cls, run_dir: Path | None = None) -> Stack:
        """The stack of run_dir, the latest one when None. Raises RUN-001 when there never was one, or when
        the run was a virtual one, which has no processes."""
        stack = cls(run_dir or latest_run())
        if stack.run.backend == "virtual":
            raise SandboxError(
                "RUN-001",
                where="run directory",
                seen=f"{stack.run_dir}, a virtual run",
                expected="a stack of processes",
                fix="name another: --run-dir DIR; a virtual run is asked with sandbox sql, trace, drill status",
            )
        return stack

    @classmethod
    def running(cls) -> list[Stack]:
        """Those that are up, of the usual place for runs and of wherever the latest is; that one first."""
        runs = paths.runs()
        found = {path.resolve() for path in runs.iterdir()} if runs.is_dir() else set()
        latest = (runs / "latest").resolve()
        up = [stack for stack in map(cls, found) if stack.alive]
        return sorted(up, key=lambda s: (s.run_dir == latest, s.run_dir.name), reverse=True)

    @property
    def run(self) -> RunInfo:
        return RunInfo.load(self.run_dir)

    @property
    def alive(self) -> bool:
        """Whether its supervisor lives; where there is none, as in containers, whether a process answers."""
        if self.run_dir.is_dir() and is_locked(self.run_dir):
            return True
        with contextlib.suppress(SandboxError):
            run = self.run
            return not run.supervised and unsupervised.answers(run)
        return False

    def require_up(self) -> None:
        """Raises RUN-001 when nothing runs: neither what `alive` looks for nor a gateway."""
        if self.alive:
            return
        host, port = self.run.addresses["gateway"].rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError as error:
            raise SandboxError(
                "RUN-001",
                where="run directory",
                seen=str(self.run_dir),
                expected="a stack that is up",
                fix="start one: sandbox up; or name another: --run-dir DIR",
            ) from error

    def status(self) -> dict[str, Any]:
        """{ready, run_dir, world, world_time, services: [{name, instance, pid, address, healthy, rss_bytes,
        restarts, state}]}, name being the service, the supervisor first. Without one pid, rss_bytes and restarts are None.
        world_time: ISO, UTC."""
        run, alive = self.run, self.alive
        if not run.supervised:
            return self._document(run, alive, [_asked_row(info) for info in unsupervised.services(run)])
        services = [self._supervisor_info(alive), *load_services(self.run_dir)]
        return self._document(run, alive, [_service_row(info, alive) for info in services])

    def _document(self, run: RunInfo, alive: bool, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "ready": alive and len(rows) > 1 and all(row["healthy"] for row in rows),
            "run_dir": str(self.run_dir),
            "world": run.world,
            "world_time": iso(run.clock().now()),
            "services": rows,
        }

    def wait_until_down(self) -> None:
        """Returns when it is not alive any more."""
        while self.alive:
            time.sleep(0.5)  # between two looks at the condition

    def restart(self, service: str) -> None:
        """Drains a process and starts it again; returns when it is ready. service: its name, or an instance's; of a
        service with several they restart one after the other. Raises RUN-003, RUN-007, and
        RUN-011 where neither a supervisor nor an order reaches it."""
        run = self.run
        if not run.supervised:
            return unsupervised.restart(run, service)
        self._order("restart", name=service, timeout_s=MOST * (settings.READY_S + settings.STOP_S))

    def scale(self) -> None:
        """Brings the services to as many instances as their documents say; returns when further ones are ready.
        Raises RUN-003, RUN-006, what kept one from starting, and RUN-011 where no supervisor runs."""
        run = self.run
        if not run.supervised:
            raise unsupervised.refusal(run, "other instances of a service", unsupervised.MORE)
        self._order("scale", timeout_s=MOST * (settings.READY_S + settings.STOP_S))

    def arm(self, service: str, spec: dict[str, Any]) -> str:
        """Puts a wrapper on a seam of a service. Where a supervisor runs, a restart does not take it off.

        spec: {id, fault, params, scope, share, onset, seed, since}; see faults.arming.Spec.
        Returns its id. Raises FLT-001..003, RUN-007.
        """
        run = self.run
        if not run.supervised:
            return unsupervised.arm(run, service, spec)
        return str(self._order("arm", name=service, **spec)["id"])

    def disarm(self, service: str, id: str) -> bool:
        """Takes a wrapper off. False when there was none of that id."""
        run = self.run
        if not run.supervised:
            return unsupervised.disarm(run, service, id)
        return bool(self._order("disarm", name=service, id=id)["was_armed"])

    def down(self) -> list[str]:
        """Takes everything down, also what a killed supervisor left behind. Returns what was stopped. Raises
        RUN-011 for processes that no supervisor of ours started."""
        if self.alive and not self.run.supervised:
            raise unsupervised.refusal(self.run, "taking it down", "docker compose down")
        names = [s.name for s in load_services(self.run_dir) if _living(s)]
        if self.alive:
            names = ["supervisor", *names]
            self._stop_supervisor()
        self._end_leftovers()
        self._clear()
        return names

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    def _order(self, op: str, *, timeout_s: float = 30.0, **fields: Any) -> dict[str, Any]:
        at = Endpoint.of(self.run, "supervisor")
        return control.ask(at, op, timeout_s=timeout_s, **fields)

    def _await_ready(self, ended: Callable[[], int | None], timeout_s: float, progress: ProgressFn) -> None:
        until = time.monotonic() + timeout_s
        services: list[ServiceInfo] = []
        while time.monotonic() < until:
            code = ended()
            if code is not None:
                raise self._failure(code)
            services = load_services(self.run_dir) if (self.run_dir / PID).exists() else []
            healthy = sum(s.healthy for s in services)
            if services:
                progress("starting the services", healthy / len(services))
                if healthy == len(services):
                    return
            time.sleep(0.05)  # between two looks at the condition
        late = [s.name for s in services if not s.healthy] or ["supervisor"]
        raise SandboxError(
            "RUN-003",
            where=", ".join(late),
            seen=f"not ready after {timeout_s:g} s",
            expected="healthy processes",
            fix=f"read the logs in {self.run_dir / 'logs'}; check the machine: sandbox doctor",
        )

    def _failure(self, code: int) -> SandboxError:
        try:
            return control.from_json(json.loads((self.run_dir / FAILED).read_text()))
        except (OSError, ValueError):
            lines = last_lines(self.run_dir / "logs" / "supervisor.log")
            return SandboxError(
                "RUN-003",
                where="supervisor",
                seen=f"exit code {code}; last lines of its log:\n{lines}",
                expected="a supervisor that runs",
                fix="check the machine: sandbox doctor",
            )

    def _stop_supervisor(self) -> None:
        try:
            pid = int((self.run_dir / PID).read_text())
            process = psutil.Process(pid)
            process.send_signal(signal.SIGTERM)
        except (OSError, ValueError, psutil.NoSuchProcess):
            return
        try:
            process.wait(4 * settings.STOP_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)

    def _end_leftovers(self) -> None:
        """Where the kernel could not tie the processes to their supervisor, some outlive its SIGKILL."""
        left = [p for s in load_services(self.run_dir) if (p := _living(s)) is not None]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in psutil.wait_procs(left, timeout=settings.STOP_S)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _clear(self) -> None:
        with contextlib.suppress(OSError, SandboxError):
            (self.run_dir / PID).unlink(missing_ok=True)
            clear_sockets(self.run)

    def _supervisor_info(self, alive: bool) -> ServiceInfo:
        pid = None
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.run_dir / PID).read_text())
        state = "ready" if alive else "down"
        address = str(self.run.control_socket("supervisor"))
        return ServiceInfo("supervisor", named("supervisor"), pid, address, state, alive, 0, 0.0)


def prepare(
    world: str, speed: float, run_dir: Path | None, seed: int, config: Config | None, progress: ProgressFn
) -> Stack:
    """A run directory with all that a supervisor needs to begin. Raises as `Stack.up`."""
    require_speed(speed)
    require_seed(seed)
    directory = (run_dir or fresh_run_dir()).absolute()
    try:
        if Stack(directory).alive:
            raise in_use(directory)
        set_aside_earlier(directory)
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        require_space(directory)
        world_dir = ensure_built(world, progress)
        for leftover in (FAILED, PID, ENDPOINTS, "services.json", "run.json"):
            (directory / leftover).unlink(missing_ok=True)
        manifest = load_manifest(world)
        Request(world, str(world_dir), manifest.history_end_ts, speed, seed).save(directory)
        (config or Config()).save(directory)
        point_latest_to(directory)
    except OSError as error:
        raise disk_error(directory, error) from error
    return Stack(directory)


def fresh_run_dir() -> Path:
    """A path for a run directory that nobody has used."""
    return paths.runs() / paths.fresh_name()


def _living(info: ServiceInfo) -> psutil.Process | None:
    """That very process, while it lives: a pid alone may by now be someone else's."""
    if not info.pid:
        return None
    try:
        process = psutil.Process(info.pid)
        same = abs(process.create_time() - info.started_wall) < 5
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _asked_row(info: ServiceInfo) -> dict[str, Any]:
    """Of a process that tells only whether it is well."""
    return {
        "name": info.name, "instance": info.instance, "pid": None, "address": info.address, "healthy": info.healthy,
        "rss_bytes": None, "restarts": None, "state": info.state,
    }  # fmt: skip


def _service_row(info: ServiceInfo, alive: bool) -> dict[str, Any]:
    rss = None
    if alive and info.pid:
        with contextlib.suppress(psutil.Error):
            rss = psutil.Process(info.pid).memory_info().rss
    return {
        "name": info.name,
        "instance": info.instance,
        "pid": info.pid if alive else None,
        "address": info.address,
        "healthy": alive and info.healthy,
        "rss_bytes": rss,
        "restarts": info.restarts,
        "state": info.state if alive else "down",
    }
