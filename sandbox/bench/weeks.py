"""How long weeks take: a two-armed simulation as a process of its own, and the memory of all its processes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time

import psutil

from sandbox.base.errors import SandboxError
from sandbox.bench import processes
from sandbox.bench.processes import pss_mb

_EVERY_S = 2.0  # wall time between two looks at the memory: each takes some 30 ms of a processor


def measure(world: str = "laptop", days: int = 28, users: int = 20_000) -> dict[str, float]:
    """Figures of `sandbox simulate` with two arms and weekly training; its models are built before.

    ab_DAYS_days_s: wall seconds, start of the program included. weeks_cpu_s: of all processes.
    weeks_requests: answered. weeks_peak_pss_bytes: most that all processes held at once, shared pages
    counted once. Raises RUN-008 when the command fails.
    """
    from sandbox.runtime.building import ensure_built

    ensure_built(world)
    command = [
        sys.executable, "-m", "sandbox.cli.app", "simulate", "--world", world, "--days", str(days),
        "--users", str(users), "--arm", "explore:rules.explore_share=0.05", "--json",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as told:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=answer, stderr=told)
        try:
            peak_mb, cpu_s = _watched(process)
        finally:
            process.terminate()  # of no effect on one that is over
            process.wait()
        wall_s = time.perf_counter() - began
        for file in (answer, told):
            file.seek(0)
        document, complaint = answer.read(), told.read().decode(errors="replace")
    if process.returncode:
        raise SandboxError(
            "RUN-008",
            where="sandbox simulate",
            seen=complaint[-400:],
            expected="a simulation",
            fix="run it by hand: " + " ".join(command[2:]),
        )
    arms = json.loads(document)["arms"]
    return {
        f"ab_{days}_days_s": wall_s,
        "weeks_cpu_s": cpu_s,
        "weeks_requests": float(sum(arm["total"]["requests"] for arm in arms)),
        "weeks_peak_pss_bytes": peak_mb * 2**20,
    }


def _watched(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """(peak MiB, CPU seconds) of a process and its children, until it is over."""
    root, peak_mb, cpu_s = psutil.Process(process.pid), 0.0, 0.0
    while True:
        with contextlib.suppress(psutil.Error, OSError):  # one of them has just ended
            pids = [root.pid, *(child.pid for child in root.children(recursive=True))]
            peak_mb = max(peak_mb, pss_mb(pids))
            cpu_s = max(cpu_s, sum(processes.cpu_s(pids).values()))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_EVERY_S)
            return peak_mb, cpu_s
