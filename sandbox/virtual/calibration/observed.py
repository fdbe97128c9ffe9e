"""What a run's spans say about how long things took, live or virtual: the ground of a calibration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.run import GRPC_PROCESSES
from sandbox.telemetry.lake import Lake

BLOCK_S = 5.0  # wall seconds of which processor time and requests are counted together
_MEMORY_MB = 1024
# A server's own time is what is left of its span without its queue and the calls that it waited for.
_WORK = """
    WITH inner_ms AS (
      SELECT parent_id, sum(dur_ms) AS ms FROM spans
      WHERE kind <> 'server' AND op <> 'AppendImpressions' GROUP BY 1)
    SELECT s.service || '.' || s.op, greatest(s.dur_ms - coalesce(s.queue_ms, 0) - coalesce(i.ms, 0), 0.001),
           coalesce(s.n_keys, c.n_keys, 0)
    FROM spans s LEFT JOIN inner_ms i ON i.parent_id = s.span_id
    LEFT JOIN spans c ON c.span_id = s.parent_id AND c.kind = 'client'
    WHERE s.kind IN ('server', 'internal') AND s.status = 'OK'
"""
_WIRE = """
    SELECT c.service || '->' || c.peer, greatest(c.dur_ms - s.dur_ms, 0.001), 0
    FROM spans c JOIN spans s ON s.parent_id = c.span_id AND s.kind = 'server'
    WHERE c.kind = 'client' AND c.status = 'OK' AND s.status = 'OK'
    UNION ALL
    SELECT 'client->gateway', greatest(l.rt_ms - r.latency_ms, 0.001), 0
    FROM locust l JOIN requests r USING (request_id) WHERE l.ok
"""
_STORE = "SELECT 'store', dur_ms, coalesce(n_keys, 1) FROM spans WHERE kind = 'store' AND status = 'OK'"
_RESTARTS = """
    SELECT service, epoch(ready) - epoch(stopped) FROM (
      SELECT service, event, ts AS ready,
             max(ts) FILTER (event = 'stopped') OVER (PARTITION BY service ORDER BY ts
               ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) AS stopped
      FROM process_events)
    WHERE event = 'ready' AND stopped IS NOT NULL
"""
_BLOCKS = """
    SELECT r.n, p.cpu_s FROM (
      SELECT floor(epoch(ts) / {block}) AS block, count(*) AS n FROM requests GROUP BY 1) r
    JOIN (
      SELECT floor(epoch(ts) / {block}) AS block, sum(cpu_pct) / 100 AS cpu_s FROM procs
      WHERE service IN ({services}) GROUP BY 1) p USING (block)
    ORDER BY block
"""


@dataclass(frozen=True)
class Sample:
    """ms: float64 [n], wall milliseconds. keys: float64 [n], entities or rows that each was about."""

    ms: np.ndarray
    keys: np.ndarray

    def __len__(self) -> int:
        return len(self.ms)


@dataclass(frozen=True)
class Observed:
    """work: own time by "service.Method". wire: by "caller->callee". store: round trips to Redis.
    request_ms: float64 [n], answered requests as their users waited. restart_s: wall seconds by process.
    blocks: float64 [m, 2], requests and processor seconds of all services in stretches of the run."""

    work: dict[str, Sample]
    wire: dict[str, Sample]
    store: Sample
    request_ms: np.ndarray
    restart_s: dict[str, float]
    blocks: np.ndarray


def observe(lake_dir: Path, speed: float) -> Observed:
    """What the lake of a run holds. speed: world seconds per wall second. Raises LAKE-007."""
    lake = Lake(lake_dir, memory_mb=_MEMORY_MB)
    services = ", ".join(f"'{name}'" for name in GRPC_PROCESSES)
    try:
        lake.refresh()
        store = _samples(lake, _STORE)
        restarts = lake.query(_RESTARTS)
        return Observed(
            work=_samples(lake, _WORK),
            wire=_samples(lake, _WIRE),
            store=store.get("store", Sample(np.zeros(0), np.zeros(0))),
            request_ms=_column(lake, "SELECT rt_ms FROM locust WHERE ok"),
            restart_s={
                str(name): float(np.median([s for n, s in restarts if n == name])) / speed
                for name in {n for n, _ in restarts}
            },
            blocks=np.array(lake.query(_BLOCKS.format(block=BLOCK_S * speed, services=services)), float).reshape(-1, 2),
        )
    except (duckdb.Error, ValueError) as error:
        raise SandboxError(
            "LAKE-007",
            where=str(lake_dir),
            seen=str(error)[:300],
            expected="the lake of a run",
            fix="name the directory of a run that has written telemetry",
        ) from error
    finally:
        lake.close()


def together(parts: Iterable[Observed]) -> Observed:
    """What several runs say, as of one."""
    parts = list(parts)

    def joined(kind: str) -> dict[str, Sample]:
        names = sorted({name for part in parts for name in getattr(part, kind)})
        return {name: _joined(getattr(p, kind)[name] for p in parts if name in getattr(p, kind)) for name in names}

    return Observed(
        joined("work"),
        joined("wire"),
        _joined(p.store for p in parts),
        np.concatenate([p.request_ms for p in parts]),
        {name: s for p in parts for name, s in p.restart_s.items()},
        np.concatenate([p.blocks for p in parts]),
    )


def _joined(samples: Iterable[Sample]) -> Sample:
    samples = list(samples)
    return Sample(np.concatenate([s.ms for s in samples]), np.concatenate([s.keys for s in samples]))


def _samples(lake: Lake, sql: str) -> dict[str, Sample]:
    held = lake.connection.execute(f"SELECT * FROM ({sql}) AS t(name, ms, keys) ORDER BY ALL").fetchnumpy()
    names = np.asarray(held["name"], str)
    ms, keys = np.asarray(held["ms"], float), np.asarray(held["keys"], float)
    return {str(name): Sample(ms[names == name], keys[names == name]) for name in np.unique(names)}


def _column(lake: Lake, sql: str) -> np.ndarray:
    return np.array([row[0] for row in lake.query(sql)], float)
