"""What a run's own telemetry says of a stretch of it: processes, stages, segments."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loadtest.lab.histogram import Histogram, by_kind
from loadtest.lab.saturation import Process
from sandbox.base.errors import SandboxError
from sandbox.telemetry.sql import SqlWorker

STAGES = ("features", "retrieval", "ranking", "rules")
MOST_ROWS = 1_000_000
ARRIVES_S = 4.0  # wall: the collector samples each second and writes what it has soon after
LOOK_S = 0.25


@dataclass(frozen=True)
class Seen:
    """processes: on the average. stages, segments: latencies by stage (in the gateway) and by the user's segment (as
    the client saw them, from the intended start). cpu: rows (second, process, cores). note: what is missing, if anything."""

    processes: list[Process] = field(default_factory=list)
    stages: dict[str, Histogram] = field(default_factory=dict)
    segments: dict[str, Histogram] = field(default_factory=dict)
    cpu: list[tuple[int, str, float]] = field(default_factory=list)
    redis_bytes: int | None = None
    note: str | None = None


def seen(lake: Path, began_ts: float, ended_ts: float, speed: float) -> Seen:
    """Between two world times, once the telemetry of the second is there. A lake that can't be asked leaves a note, as
    the load's own figures stand without it."""
    try:
        with SqlWorker(lake) as worker:
            _await(worker, ended_ts)
            return _seen(worker, began_ts, ended_ts, speed)
    except SandboxError as error:
        return Seen(note=f"{error.kind.code} {error.kind.title}: {error.seen}"[:300])


def _await(worker: SqlWorker, ended_ts: float) -> None:
    give_up = time.monotonic() + ARRIVES_S
    pause = threading.Event()  # which nobody sets
    while time.monotonic() < give_up:
        newest = worker.query("SELECT epoch(max(ts)) FROM procs").rows[0][0]
        if newest is not None and newest >= ended_ts:
            return
        pause.wait(LOOK_S)


def _seen(worker: SqlWorker, began_ts: float, ended_ts: float, speed: float) -> Seen:
    within = f"epoch(ts) BETWEEN {began_ts!r} AND {ended_ts!r}"
    processes = worker.query(
        f"""SELECT instance, avg(cpu_pct) / 100, coalesce(avg((pool_queue > 0)::INT), 0), avg(run_wait_ms) / 1000,
                   coalesce(avg(throttled_ms), 0) / 1000, max(rss_mb)
            FROM procs WHERE {within} GROUP BY instance ORDER BY instance"""
    ).rows
    cpu = worker.query(
        f"""SELECT floor((epoch(ts) - {began_ts!r}) / {speed!r})::INT AS s, service, sum(cpu_pct) / 100
            FROM procs WHERE {within} GROUP BY ALL ORDER BY 1, 2"""
    ).rows
    answered = worker.query(
        f"""SELECT r.segment, greatest(l.wait_ms, 0) + l.rt_ms, r.features_ms, r.retrieval_ms, r.ranking_ms, r.rules_ms,
                   r.latency_ms
            FROM locust AS l JOIN requests AS r USING (request_id)
            WHERE epoch(l.ts) BETWEEN {began_ts!r} AND {ended_ts!r}""",
        timeout_s=60,
        max_rows=MOST_ROWS,
    )
    memory = worker.query(f"SELECT max(used_mb) FROM redis_stats WHERE {within}").rows[0][0]
    table = answered.rows
    segments = np.array([row[0] or "unknown" for row in table])
    values = np.array([row[1:] for row in table], np.float64).reshape(-1, 6)  # None: NaN
    stages = {name: Histogram.of(np.maximum(values[:, 1 + n], 0)) for n, name in enumerate((*STAGES, "gateway"))}
    return Seen(
        [
            Process(str(name), cores, queued, run_wait, throttled, rss_mb)
            for name, cores, queued, run_wait, throttled, rss_mb in processes
        ],
        {name: h for name, h in stages.items() if h.count},
        by_kind(segments, values[:, 0]),
        [(int(s), str(name), float(cores)) for s, name, cores in cpu],
        None if memory is None else int(memory * 2**20),
        f"of more than {MOST_ROWS} requests only so many" if answered.truncated else None,
    )
