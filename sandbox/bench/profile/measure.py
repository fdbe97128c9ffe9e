"""A profile of a loaded stack: a flame graph of each process, its CPU by thread, its hold on the interpreter's lock."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from loadtest.lab.saved import fresh
from loadtest.runner import Load
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.bench.paired import scratch
from sandbox.bench.processes import conditions, cpu_s
from sandbox.bench.profile import pyspy, samples
from sandbox.bench.profile.samples import Samples
from sandbox.bench.stats import significant
from sandbox.runtime.stack import Stack

HZ = 50  # samples a second of each process: ten samplers share the cores with what they look at
TOP = 8  # functions told of each process
WARM_UP_S = 3.0  # wall seconds of load before the first sample: connections, queues
_NOT_PYTHON = ("supervisor", "redis")


def measure(stack: Stack, seconds: float, rate: float, out: Path, progress: ProgressFn) -> dict[str, Any]:
    """{out, seconds, gil_seconds, rate_hz, offered_per_s, profiler_cpu_share, processes, conditions}. rate: requests per wall
    second that are sent meanwhile; 0 where the stack has load already. out: a new directory in it gets the flame graphs.

    Of each process {name, pid, cpu_share, threads, running_share, gil_share, samples, flame_graph, top}: cpu_share by the kernel's
    count, as a share of a core; threads the same by name; running_share and gil_share the share of looks in which its
    Python ran (threads together), and in which it held the interpreter's lock. CPU beyond running_share is that of threads
    which Python does not know, gRPC's own. Raises CFG-004, LOAD-001, RUN-008, RUN-012; no file is left then.
    """
    if not 1 <= seconds <= 600:
        raise SandboxError(
            "CFG-004", where="sandbox profile --seconds", seen=seconds, expected="1 to 600", fix="leave it out for 15"
        )
    pyspy.found()
    pids, kept = _pids(stack), fresh(out, "profile")
    try:
        return _profiled(stack, pids, round(seconds), rate, kept, progress)
    except BaseException:  # Ctrl-C, a full disk
        shutil.rmtree(kept, ignore_errors=True)
        raise


def _profiled(
    stack: Stack, pids: Mapping[str, int], seconds: int, rate: float, kept: Path, progress: ProgressFn
) -> dict[str, Any]:
    gil_s = max(1, seconds // 2)
    with scratch() as place, _loaded(stack, rate, progress):
        before, threads_before, own = cpu_s(pids.values()), _threads(pids), _children_s()
        began = time.perf_counter()
        flames = pyspy.record(pids, place, seconds, HZ, False, progress)
        wall_s = time.perf_counter() - began
        after, threads_after, own = cpu_s(pids.values()), _threads(pids), _children_s() - own
        held = pyspy.record(pids, place, gil_s, HZ, True, progress)
        told = [
            _told(name, seconds, samples.of_flame_graph(flames[name].read_text()), gil_s, samples.of_stacks(held[name].read_text()))
            | {
                "pid": pid, "cpu_share": significant((after[pid] - before[pid]) / wall_s),
                "threads": _shares(threads_before[name], threads_after[name], wall_s),
                "flame_graph": str(shutil.move(flames[name], kept / f"{name}.svg")),
            }
            for name, pid in pids.items()
        ]  # fmt: skip
    told.sort(key=lambda row: -float(row["cpu_share"]))
    return {
        "out": str(kept), "seconds": seconds, "gil_seconds": gil_s, "rate_hz": HZ, "offered_per_s": rate or None,
        "profiler_cpu_share": significant(own / wall_s), "processes": told,
        "conditions": conditions(world=stack.run.world),
    }  # fmt: skip


def _told(name: str, ran_s: int, ran: Samples, held_s: int, held: Samples) -> dict[str, Any]:
    """What the samples of one process say, as shares of looks. Pure."""

    def share(n: int, of_s: int) -> float:
        return significant(n / (of_s * HZ))

    top = [
        {"function": of, "share": share(n, ran_s), "gil_share": share(held.innermost.get(of, 0), held_s)}
        for of, n in ran.top(TOP)
    ]
    return {
        "name": name, "running_share": share(ran.total, ran_s), "gil_share": share(held.total, held_s),
        "samples": ran.total, "top": top,
    }  # fmt: skip


def _pids(stack: Stack) -> dict[str, int]:
    """Process -> pid, of those that are Python."""
    rows = stack.status()["services"]
    alone = {name for name in (row["name"] for row in rows) if sum(row["name"] == name for row in rows) == 1}
    found = {
        row["name"] if row["name"] in alone else row["instance"]: row["pid"]
        for row in rows
        if row["pid"] and row["name"] not in _NOT_PYTHON
    }
    if not found:
        raise SandboxError(
            "RUN-011", where="sandbox profile", seen="a stack whose processes are in containers",
            expected="processes of this machine", fix="sandbox up, and profile that one",
        )  # fmt: skip
    return found


@contextmanager
def _loaded(stack: Stack, rate: float, progress: ProgressFn) -> Iterator[None]:
    """Raises LOAD-001 when the load ends before it is ended."""
    if not rate:
        yield
        return
    load = Load(stack.run, rate=rate)
    load.start()
    try:
        progress(f"load: {rate:g} requests/s", None)
        if load.ended_within(WARM_UP_S):
            load.stop()
            raise _over(stack)
        yield
        if not load.running:
            raise _over(stack)
    finally:
        if load.running:
            load.stop()


def _over(stack: Stack) -> SandboxError:
    return SandboxError(
        "LOAD-001", where="sandbox profile", seen="the load ended by itself", expected="load until the end",
        fix=f"see {stack.run_dir / 'logs' / 'load.log'}",
    )  # fmt: skip


def _threads(pids: Mapping[str, int]) -> dict[str, dict[int, tuple[str, float]]]:
    """By process, of each thread its name and CPU seconds."""
    return {name: {t.id: (_thread_name(pid, t.id), t.user_time + t.system_time) for t in psutil.Process(pid).threads()}
            for name, pid in pids.items()}  # fmt: skip


def _thread_name(pid: int, thread: int) -> str:
    """As the kernel has it; the main thread has the program's. Numbers at the end go: a pool is told as one."""
    try:
        name = Path(f"/proc/{pid}/task/{thread}/comm").read_text().strip()
    except OSError:  # not Linux, or it has just ended
        return "unknown"
    return "main" if thread == pid else name.rstrip("0123456789-_:/")


def _shares(
    before: Mapping[int, tuple[str, float]], after: Mapping[int, tuple[str, float]], wall_s: float
) -> dict[str, float]:
    """CPU share by thread name, the largest first; what took nothing is left out. Pure."""
    found: dict[str, float] = {}
    for thread, (name, used_s) in after.items():
        found[name] = found.get(name, 0.0) + (used_s - before.get(thread, (name, 0.0))[1]) / wall_s
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    return {name: significant(share) for name, share in ranked if share > 0}


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
