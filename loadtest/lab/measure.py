"""One load run on a running stack: started, watched, ended, and what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

from loadtest.lab.ledger import Requests
from loadtest.lab.outcome import Run
from loadtest.lab.plan import Plan
from loadtest.lab.saturation import Machine
from loadtest.lab.telemetry import Seen, seen
from loadtest.lab.told import acknowledged
from loadtest.runner import Crew, Load
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import RunInfo

LOOK_S = 0.2


@dataclass(frozen=True)
class Visits:
    """The world's own visits in place of a plan: sessions come as its users live, their requests as they think."""

    rate: float
    seconds: float
    seed: int = 1
    diurnal: bool = False


def measure(
    run: RunInfo, load: Plan | Visits, *, slate_size: int = 10, progress: ProgressFn = quiet, telemetry: bool = True,
    crew: Crew | None = None, meanwhile: Callable[[float], Any] | None = None,
) -> Run:  # fmt: skip
    """The whole run. A Ctrl-C ends the load, and what was measured until then comes back, marked as interrupted.

    telemetry: ask the lake as well. crew: workers that send, None for one process. meanwhile: called again and again with the
    seconds since requests came. Raises CFG-004 for a load that can't be, LOAD-001 when the generator failed.
    """
    plan = load if isinstance(load, Plan) else None
    if isinstance(load, Plan):
        traffic = Load(run, plan=load, slate_size=slate_size, crew=crew)
    else:
        traffic = Load(
            run, rate=load.rate, seed=load.seed, diurnal=load.diurnal, duration_s=load.seconds, slate_size=slate_size,
            crew=crew,
        )  # fmt: skip
    busy, clock = _Busy(), run.clock()
    traffic.start()
    interrupted = False
    began, sending = time.monotonic(), 0.0
    try:
        while not traffic.ended_within(LOOK_S):
            progress(f"load: {load.rate:g} requests/s", min(1.0, (time.monotonic() - began) / load.seconds))
            busy.look(clock.now(), traffic.pids)
            if meanwhile is not None:
                sending = sending or (time.monotonic() if traffic.sending else 0.0)
                if sending:
                    meanwhile(time.monotonic() - sending)
        summary = _summary(traffic.wait, traffic)
    except KeyboardInterrupt:
        interrupted = True
        try:
            summary = _summary(traffic.stop, traffic)
        except SandboxError:  # it was only just coming up: there is nothing to keep
            raise KeyboardInterrupt from None
    requests = Requests.load(traffic.requests_path)
    ids = acknowledged(traffic.acknowledged_path)
    interrupted = interrupted or not summary
    seconds = load.seconds if not interrupted else max(1.0, float(requests.intended_s.max(initial=1.0)))
    began_ts = float(summary.pop("began_ts", clock.now() - seconds * run.speed))
    ended_ts = began_ts + seconds * run.speed
    found = seen(run.lake, began_ts, ended_ts, run.speed) if telemetry else Seen()
    return Run(plan, seconds, requests, found, busy.machine(began_ts, ended_ts, run.speed), summary, interrupted, ids)


def _summary(end: Callable[[], dict[str, Any]], traffic: Load) -> dict[str, Any]:
    """Empty where the generator died before it could tell, but its requests are on disk until shortly before."""
    try:
        return end()
    except SandboxError:
        if not traffic.requests_path.exists():
            raise
        return {}


class _Busy:
    """What the machine and the generator used, by looks at them."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, float, float]] = []  # world seconds; idle seconds of all cores; generator's
        self._used: dict[int, float] = {}

    def look(self, now_ts: float, pids: list[int]) -> None:
        times = psutil.cpu_times()
        for pid in pids:
            with suppress(psutil.Error):  # one that has died has used what it had
                own = psutil.Process(pid).cpu_times()
                self._used[pid] = own.user + own.system
        self._looks.append((now_ts, times.idle + getattr(times, "iowait", 0.0), sum(self._used.values())))

    def machine(self, began_ts: float, ended_ts: float, speed: float) -> Machine | None:
        """Between two world times; None where there were no two looks."""
        mine = [look for look in self._looks if began_ts <= look[0] <= ended_ts]
        if len(mine) < 2:
            return None
        (first_ts, first_idle_s, first_s), (last_ts, last_idle_s, last_s) = mine[0], mine[-1]
        wall_s = max((last_ts - first_ts) / speed, 1e-3)
        cores = psutil.cpu_count() or 1
        busy = min(float(cores), max(0.0, cores - (last_idle_s - first_idle_s) / wall_s))
        return Machine(cores, busy, (last_s - first_s) / wall_s)
