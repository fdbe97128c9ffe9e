"""The offline pipeline without training over synthetic events, beside a bare DuckDB pass over the same rows."""

from __future__ import annotations

import math
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sandbox.base.clock import DAY_S
from sandbox.base.progress import ProgressFn
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report
from sandbox.pipeline.stages import check
from sandbox.pipeline.stages.database import connect
from sandbox.pipeline.stages.engine import Engine
from sandbox.pipeline.stages.plan import STAGES
from sandbox.pipeline.stages.settings import PipelineConfig
from sandbox.pipeline.stages.sources import Sources, of_world

EVENTS = 10_000_000
UNTIL = "training_set"
DAYS = 28
_SLATE, _CLICK_PER_MILLE = 10, 50  # of what is shown is clicked, and left again
_SHOWN = """SELECT $start + i // {slate} * $step AS ts, i // {slate} AS request_id, i // {slate} // 4 AS session_id,
  (hash(i // {slate} // 4) % $users)::INTEGER AS user_id, (hash(i) % $items * (hash(i + 1) % 1000) // 1000)::INTEGER AS item_id,
  (i % {slate} + 1)::SMALLINT AS position, 1::FLOAT AS propensity FROM range($n) AS r(i)"""
_DONE = """SELECT ts + {after} AS event_ts, ts + {after} + 2 AS ingest_ts, request_id, session_id, user_id, item_id,
  '{kind}' AS kind, {value}::FLOAT AS value FROM read_parquet('{shown}')
  WHERE hash(request_id * 31 + position) % 1000 < {per_mille}"""


@dataclass(frozen=True)
class Cost:
    """wall_s, cpu_s: of all threads, seconds."""

    wall_s: float
    cpu_s: float


def measure(world: str, n: int, say: ProgressFn) -> Report:
    """A tenth of n events, then n: cost of both, and the exponent of the processor's time between them (1: linear).

    The floor reads the same Parquet and writes it again, with the same two threads.
    """
    load_manifest(world)
    report = Report(conditions=conditions(world=world, n=n, until=UNTIL))
    costs = []
    for events in (n // 10, n):
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        try:
            say(f"{events:,} synthetic events", None)
            sources = synthetic(of_world(world_dir(world)), folder, events)
            say(f"bare pass over {events:,}", None)
            floor = _timed(partial(_bare_pass, sources, folder))
            say(f"pipeline over {events:,}", None)
            cost = _timed(partial(_pipeline, sources))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        costs.append(cost)
        name = f"{events / 1e6:g}m"
        report.figures |= {
            f"pipeline_{name}_s": cost.wall_s, f"pipeline_{name}_cpu_s": cost.cpu_s, f"bare_{name}_s": floor.wall_s,
            f"bare_{name}_cpu_s": floor.cpu_s,
        }  # fmt: skip
        report.ratios[f"cpu_vs_bare_{name}"] = cost.cpu_s / floor.cpu_s
    report.figures["rss_peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.figures["exponent_cpu"] = math.log10(costs[1].cpu_s / costs[0].cpu_s)
    return report


def synthetic(sources: Sources, folder: Path, events: int) -> Sources:
    """The world's people and items with so many events, in a folder of its own."""
    n = round(events / (1 + 2 * _CLICK_PER_MILLE / 1000))
    start = sources.as_of - DAYS * DAY_S
    shown, done = folder / "impressions.parquet", folder / "outcomes.parquet"
    with connect(folder / "spill") as db:
        users, items = (
            db.sql(f"SELECT count(*) FROM read_parquet('{path}')").fetchall()[0][0]
            for path in (sources.files["impressions"][0].with_name("users.parquet"), sources.files["items"][0])
        )
        db.execute(
            f"COPY ({_SHOWN.format(slate=_SLATE)}) TO '{shown}' (FORMAT parquet, COMPRESSION zstd)",
            {"start": start, "step": DAYS * DAY_S / (n // _SLATE + 1), "users": users, "items": items, "n": n},
        )
        kinds = " UNION ALL ".join(
            _DONE.format(after=after, kind=kind, value=value, shown=shown, per_mille=_CLICK_PER_MILLE)
            for kind, after, value in (("click", 5, "1"), ("dwell", 40, "35"))
        )
        db.execute(f"COPY ({kinds}) TO '{done}' (FORMAT parquet, COMPRESSION zstd)")
    return replace(sources.handing_in(impressions=(shown,), outcomes=(done,)), root=folder)


def _pipeline(sources: Sources) -> None:
    engine = Engine(sources, STAGES, check.standard(), time.time, time.perf_counter)
    run = engine.run(PipelineConfig(), until=UNTIL)
    assert run.status == "done", f"the synthetic log passes every check: {run.blocked_by}"


def _bare_pass(sources: Sources, folder: Path) -> None:
    with connect(folder / "spill") as db:
        for name in ("impressions", "outcomes"):
            rows = f"SELECT * FROM read_parquet('{sources.files[name][0]}')"
            db.execute(f"COPY ({rows}) TO '{folder / name}.copy' (FORMAT parquet, COMPRESSION zstd)")


def _timed(work: Callable[[], None]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)
