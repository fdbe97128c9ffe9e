"""Starts and stops Locust beside a running stack, as a process of its own."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from loadtest.lab.plan import Plan
from sandbox.base.errors import SandboxError
from sandbox.base.load import MOST_TESTED, TrafficShape
from sandbox.base.run import RunInfo, write_atomically
from sandbox.runtime.local.ports import pick
from sandbox.runtime.tether import tether

LOAD = "load"  # the name of the process, in orders and as the target of a scenario's step
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
STOP_S = 15.0
TIMEOUT_S = 2.0  # as loadtest.clients, which loads gRPC
SPARE_S = 0.5
OVERTIME_S = 30.0  # until a load in an open loop that does not end by itself is ended
MOST_CLIENTS = 6_000
MOST_WORKERS = 64


@dataclass(frozen=True)
class Crew:
    """Workers of one load. here: processes on this machine. elsewhere: further ones that come by themselves. host, port:
    where the master listens for them, 0 for any port that is free. patience_s: to wait for all of them."""

    here: int
    elsewhere: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    patience_s: int = 60

    def __post_init__(self) -> None:
        if not (0 <= self.here <= MOST_WORKERS and 0 <= self.elsewhere <= MOST_WORKERS and self.size):
            raise SandboxError(
                "CFG-004", where="load, workers", seen=f"{self.here} here, {self.elsewhere} elsewhere",
                expected=f"1 to {MOST_WORKERS} together", fix="correct the number",
            )  # fmt: skip
        if not 0 <= self.port < 65_536:
            raise SandboxError(
                "CFG-004", where="load --bind", seen=self.port, expected="a port", fix="as 127.0.0.1:5557"
            )

    @property
    def size(self) -> int:
        return self.here + self.elsewhere


class Load:
    """Traffic on one run: `rate` requests per wall second by the world's users, until stopped.

    clients: visits that can go on at once; too few and sessions start late, which the rows show.
    """

    def __init__(
        self, run: RunInfo, *, rate: float = 20.0, seed: int = 1, diurnal: bool = False,
        clients: int | None = None, duration_s: float | None = None, slate_size: int = 10,
        shape: TrafficShape | None = None, began_ts: float = 0.0, plan: Plan | None = None, crew: Crew | None = None,
    ) -> None:  # fmt: skip
        """shape: in place of rate and diurnal, over the world seconds since began_ts. plan: of the load lab, in place
        of all that says when: its requests come in an open loop. crew: workers that make them, None for one process."""
        rate = rate if shape is None else shape.peak_per_s
        if plan is not None:
            rate, seed, duration_s = plan.rate, plan.seed, None
        _require(rate, duration_s, slate_size, seed)
        self.run, self.summary_path = run, run.path / "load-summary.json"
        self.requests_path, self._plan = run.path / "load-requests.npz", plan
        self.acknowledged_path = run.path / "load-acknowledged.txt"
        self._plan_path = run.path / "load-plan.json"
        # A visit lasts some ten wall seconds at 60x; six times that leaves room for slow answers and
        # for a rush, and a client that waits costs nothing.
        # In an open loop it is busy for as long as a call may last, and the plan knows how many begin in that time.
        if plan is not None:
            several = 1 if crew is None else crew.size
            clients = min(MOST_CLIENTS, math.ceil(plan.peak_per_s * (TIMEOUT_S + SPARE_S)) + 20 * several)
        # Beside a drill's visits those of a load test may come, which wait for nobody.
        tested = 0 if shape is None else math.ceil(MOST_TESTED * (TIMEOUT_S + SPARE_S))
        clients = clients or max(60, int(rate * 6 * 60 / min(run.speed, 60.0))) + tested
        self._command = [
            sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary",
            "-u", str(clients), "-r", str(clients), "--run-dir", run.run_dir, "--rate", str(rate),
            "--load-seed", str(seed), "--slate-size", str(slate_size), "--stop-timeout", "2",
            "--summary", str(self.summary_path), "--host", run.addresses["gateway"],
        ]  # fmt: skip
        if plan is not None:  # it ends by itself
            self._command += ["--plan", str(self._plan_path), "-t", f"{math.ceil(plan.seconds + OVERTIME_S)}s"]
        if diurnal:
            self._command.append("--diurnal")
        if shape is not None:
            self._command += ["--shape", shape.model_dump_json(), "--began-ts", repr(began_ts)]
        if duration_s is not None:  # Locust knows whole seconds only
            self._command += ["-t", f"{math.ceil(duration_s)}s"]
        if duration_s is not None or plan is not None:  # a drill's load has no end, and nobody who asks for it
            self._command += ["--requests", str(self.requests_path), "--acknowledged", str(self.acknowledged_path)]
        self._workers_commands: list[list[str]] = []
        if crew is not None:
            port = crew.port or pick(1, run.path / "load")[0]  # not one of the stack's own that nobody has bound yet
            self._command += [
                "--master", "--master-bind-host", crew.host, "--master-bind-port", str(port),
                "--expect-workers", str(crew.size), "--expect-workers-max-wait", str(crew.patience_s),
            ]  # fmt: skip
            near = "127.0.0.1" if crew.host in ("0.0.0.0", "*", "::") else crew.host
            self._workers_commands = [worker_command(near, port)] * crew.here
        self._process: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.summary_path.unlink(missing_ok=True)
        self.requests_path.unlink(missing_ok=True)
        self.acknowledged_path.unlink(missing_ok=True)
        if self._plan is not None:
            write_atomically(self._plan_path, json.dumps(self._plan.document()))
        log_path = self.run.path / "logs" / "load.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            self._process = _locust(self._command, log)
            self._workers = [_locust(command, log) for command in self._workers_commands]

    @property
    def pids(self) -> list[int]:
        """Of Locust's processes on this machine, the master first; empty before they are started."""
        return [process.pid for process in (self._process, *self._workers) if process is not None]

    @property
    def sending(self) -> bool:
        """Whether requests are under way: a master has begun, or feedback was acknowledged."""
        return self.acknowledged_path.exists()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ended_within(self, seconds: float) -> bool:
        """Waits for its end, no longer than that. Raises LOAD-001 when it cannot begin: a worker is no more."""
        assert self._process is not None, "start it first"
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._require_workers()
            return False
        return True

    def _require_workers(self) -> None:
        """Until requests come a master waits for every worker; one that has ended it would wait for in vain."""
        ended = [worker for worker in self._workers if worker.poll() is not None]
        if not ended or self.sending:
            return
        self._kill()
        self._dismiss()
        raise SandboxError(
            "LOAD-001",
            where="load workers",
            seen=f"{len(ended)} of {len(self._workers)} ended before the first request, exit {ended[0].returncode}",
            expected="all of them there when the load begins",
            fix=f"see {self.run.path / 'logs' / 'load.log'}, and start it again",
        )

    def wait(self) -> dict[str, Any]:
        """The summary, when the run's duration is over. Raises LOAD-001 when Locust failed."""
        assert self._process is not None, "start it first"
        self._process.wait()
        self._dismiss()
        return self._summary()

    def stop(self) -> dict[str, Any]:
        """Ends the traffic and returns the summary. Raises LOAD-001 when there is none."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._kill()
        self._dismiss()
        return self._summary()

    def _kill(self) -> None:
        assert self._process is not None, "start it first"
        self._process.kill()
        self._process.wait()

    def _dismiss(self) -> None:
        """Workers end by themselves when their master does; those that do not are ended."""
        give_up = time.monotonic() + TIMEOUT_S * 2
        for worker in self._workers:
            try:
                worker.wait(max(0.0, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _summary(self) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(self.summary_path.read_text())
        except (FileNotFoundError, ValueError) as error:
            raise SandboxError(
                "LOAD-001",
                where="locust",
                seen=str(error),
                expected="a summary at its end",
                fix=f"see {self.run.path / 'logs' / 'load.log'}",
            ) from error
        return document


def worker_command(host: str, port: int) -> list[str]:
    """Starts a worker of the master there."""
    return [
        sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--worker", "--master-host", host,
        "--master-port", str(port),
    ]  # fmt: skip


def _locust(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    return subprocess.Popen(
        command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=lambda: tether(parent), env={**os.environ, "OMP_NUM_THREADS": "1", "GRPC_VERBOSITY": "ERROR"},
    )  # fmt: skip


def _require(rate: float, duration_s: float | None, slate_size: int, seed: int) -> None:
    """Raises CFG-004 for a load that can't be."""
    if not 0 < rate <= 10_000:
        raise SandboxError(
            "CFG-004",
            where="load, rate",
            seen=rate,
            expected="above 0 and at most 10000 per second",
            fix="ask for a rate that one machine can send",
        )
    if duration_s is not None and not 1 <= duration_s <= 7 * 86_400:
        raise SandboxError(
            "CFG-004",
            where="load, duration",
            seen=duration_s,
            expected="1 second to a week",
            fix="leave it out for 30 s",
        )
    if not 1 <= slate_size <= 100 or not 0 <= seed < 2**63:
        raise SandboxError(
            "CFG-004",
            where="load, k and seed",
            seen=f"k {slate_size}, seed {seed}",
            expected="k from 1 to 100, seed from 0 to 2^63 - 1",
            fix="correct the number",
        )
