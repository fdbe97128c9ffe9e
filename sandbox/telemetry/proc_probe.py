"""The run's processes as the operating system sees them, with what they say of themselves."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil

from sandbox.base.frames import Frame
from sandbox.base.instances import named
from sandbox.base.rows import Row, row_of
from sandbox.base.run import load_services


class Gauges:
    """Each process's latest gauges. wall: seconds, when they came."""

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._latest: dict[str, tuple[float, int | None, int | None]] = {}
        self._sums: dict[str, tuple[float, float]] = {}  # gc_gen2_ms, throttled_ms

    def take(self, frame: Frame, wall: float) -> None:
        for queue, inflight, *added in frame.rows:
            self._latest[frame.instance] = (wall, _whole(queue), _whole(inflight))
            gc_ms, throttled_ms = (n if isinstance(n, int | float) else 0.0 for n in added)
            before = self._sums.get(frame.instance, (0.0, 0.0))
            self._sums[frame.instance] = (before[0] + gc_ms, before[1] + throttled_ms)

    def of(self, instance: str, wall: float) -> tuple[int | None, int | None, float | None, float | None]:
        """pool_queue, inflight, and gc_gen2_ms and throttled_ms since the last call; None where it says nothing."""
        at, queue, inflight = self._latest.get(instance, (float("-inf"), None, None))
        if wall - at > self._max_age_s:
            return None, None, None, None
        return queue, inflight, *self._sums.pop(instance, (0.0, 0.0))


class ProcProbe:
    """Rows of procs for the processes in services.json, for Redis and for the collector itself."""

    def __init__(self, run_dir: Path, instance: str, gauges: Gauges) -> None:
        self._run_dir, self._instance, self._gauges = run_dir, instance, gauges
        # pid -> process, switches so far, milliseconds so far that it waited for a core
        self._known: dict[int, tuple[psutil.Process, int, float | None]] = {}

    def sample(self, ts: float, wall: float, redis_pid: int | None) -> list[Row]:
        """One row per process that is alive. ts: world seconds. wall: of the gauges' clock."""
        pids: dict[int, tuple[str, str]] = {os.getpid(): ("collector", self._instance)}
        if redis_pid is not None:
            pids[redis_pid] = ("redis", named("redis"))
        pids |= {s.pid: (s.name, s.instance) for s in load_services(self._run_dir) if s.pid}
        self._known = {pid: entry for pid, entry in self._known.items() if pid in pids}
        rows = (self._row(ts, wall, pid, *names) for pid, names in pids.items())
        return [row for row in rows if row is not None]

    def _row(self, ts: float, wall: float, pid: int, service: str, instance: str) -> Row | None:
        try:
            known = self._known.get(pid)
            process, switches_before, waited_before = known or (psutil.Process(pid), None, None)
            with process.oneshot():
                cpu = process.cpu_percent()  # since the last call, 0 at the first
                memory, threads = process.memory_info(), process.num_threads()
                switches = int(process.num_ctx_switches().involuntary)
                uptime = int(time.time() - process.create_time())
        except psutil.Error:
            self._known.pop(pid, None)
            return None
        waited = _run_wait_ms(pid)
        self._known[pid] = (process, switches, waited)
        since = 0 if switches_before is None else switches - switches_before
        queue, inflight, gc_ms, throttled_ms = self._gauges.of(instance, wall)
        return row_of.procs(
            ts=ts, service=service, instance=instance, pid=pid, cpu_pct=cpu,
            rss_mb=memory.rss / 2**20, threads=threads, invol_ctx=since, pool_queue=queue,
            inflight=inflight, gc_gen2_ms=gc_ms, uptime_s=uptime, throttled_ms=throttled_ms,
            # a thread that ended takes what it waited with it
            run_wait_ms=None if waited is None or waited_before is None else max(0.0, waited - waited_before),
        )  # fmt: skip


def _run_wait_ms(pid: int) -> float | None:
    """Time that its threads were ready to run and had no core, milliseconds; None where the system does not say.
    Source: Documentation/scheduler/sched-stats.rst of Linux."""
    try:
        return sum(
            int((task / "schedstat").read_text().split()[1]) / 1e6 for task in Path(f"/proc/{pid}/task").iterdir()
        )
    except (OSError, ValueError, IndexError):
        return None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None
