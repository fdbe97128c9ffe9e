"""What processes cost: CPU seconds and proportional memory; and under which conditions it was measured."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = ("grpcio", "numpy", "torch", "faiss-cpu", "redis", "protobuf", "duckdb")


_CPUCLOCK_SCHED = 2  # linux/posix-timers.h: what the scheduler has counted, of all threads, in nanoseconds


def cpu_s(pids: Iterable[int]) -> dict[int, float]:
    """User and system seconds of each process since it started; in steps of 10 ms where the kernel tells no better.
    Raises psutil.NoSuchProcess."""
    return {pid: _cpu_s(pid) for pid in pids}


def _cpu_s(pid: int) -> float:
    if sys.platform == "linux":
        with suppress(OSError):
            return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def pss_mb(pids: Iterable[int]) -> float:
    """Proportional set size, MiB: pages shared by several processes count once in all."""
    total_kb = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total_kb += sum(int(row.split()[1]) for row in text.splitlines() if row.startswith("Pss:"))
    return total_kb / 1024


def conditions(**settings: Any) -> dict[str, Any]:
    """Machine, versions, load, and the settings of the run."""
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "executable_bits": 64 if sys.maxsize > 2**32 else 32,
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "versions": {name: version(name) for name in _PACKAGES},
        **settings,
    }
