"""What it costs to erase a thousand people from a long history with every kind of store, and to audit it.

The world is made for it: a history of so many events, its catalogue, ledger and truth, an artefact with rows of people,
an output of a stage, and a run's lake. The floor is a bare DuckDB pass that writes the history without the same people.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.clock import DAY_S
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.rows import row_of
from sandbox.base.run import RunInfo
from sandbox.base.streams import stream
from sandbox.bench.processes import conditions
from sandbox.bench.stats import Report
from sandbox.privacy import audit, people
from sandbox.privacy.erase import erase
from sandbox.telemetry.segments import SegmentStore

USERS, ITEMS, GONE = 20_000, 10_000, 1_000
BEGAN_TS, DAYS = 1_770_000_000.0, 28
_LAKE_ROWS = 50_000
_ARTEFACT_ROWS = 100_000


def measure(n_events: int = 10_000_000, say: ProgressFn = quiet) -> Report:
    """delete_s: all stores, counted again; _cpu_s: of both cores together. audit_s: of the world afterwards, with every question. left: rows that the
    audit still finds of the erased, and found_planted: of rows put back by hand, which it must find."""
    report = Report(conditions=conditions(events=n_events, users=USERS, erased=GONE))
    home = Path(tempfile.mkdtemp(prefix="bench-privacy-"))
    try:
        say("making a history", None)
        world, run_dir = made(home, n_events)
        gone = np.sort(stream(2, "erased").choice(USERS, GONE, replace=False))
        _timed(report, "floor", lambda: _floor(world, gone))
        say("erasing", None)
        who = people.found(world, [str(user) for user in gone.tolist()])
        _timed(report, "delete", lambda: erase(world, who, now=0.0, runs=[run_dir]))
        say("auditing", None)
        answer: list[audit.Breach] = []
        _timed(report, "audit", lambda: answer.extend(audit.of_world(world, now=0.0, runs=[run_dir])))
        report.figures["left"] = float(sum(b.rows for b in answer if b.rule == "erased-yet-present"))
        planted = _plant(world, gone)
        again = audit.of_world(world, now=0.0, runs=[run_dir])
        found = sum(b.rows for b in again if b.rule == "erased-yet-present")
        report.figures["found_planted"] = found / planted
        for unit in ("s", "cpu_s"):
            report.ratios[f"delete_over_floor_{unit}"] = (
                report.figures[f"delete_{unit}"] / report.figures[f"floor_{unit}"]
            )
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return report


def made(home: Path, n_events: int) -> tuple[Path, Path]:
    """The directories of a world and of a run of it, below `home`. One event in ten is an outcome."""
    world, run_dir = home / "worlds" / "bench", home / "runs" / "bench"
    (world / "public").mkdir(parents=True)
    rng = stream(1, "history")
    n_out = n_events // 10
    n_shown = n_events - n_out
    _history(world / "public", rng, n_shown, n_out)
    _people(world / "public", rng)
    manifest = {
        "name": "bench", "source": "bench", "seed": 1, "users": USERS, "items": ITEMS, "creators": 1, "events": n_out,
        "impressions": n_shown, "has_negatives": True, "history_start_ts": BEGAN_TS,
        "history_end_ts": BEGAN_TS + DAYS * DAY_S, "topics": ["all"], "content_hash": "bench", "built": "",
    }  # fmt: skip
    (world / "world.json").write_text(json.dumps(manifest))
    _artefact(world, rng)
    _stage(world, rng)
    _lake(run_dir, world, rng)
    return world, run_dir


def _history(public: Path, rng: np.random.Generator, n_shown: int, n_out: int) -> None:
    request = np.arange(n_shown) // 10
    shown: dict[str, np.ndarray] = {
        "ts": np.sort(rng.random(n_shown)) * DAYS * DAY_S + BEGAN_TS, "request_id": request, "session_id": request // 4,
        "user_id": rng.integers(0, USERS, n_shown // 10 + 1, dtype=np.int32)[request],
        "item_id": rng.integers(0, ITEMS, n_shown, dtype=np.int32),
        "position": (np.arange(n_shown) % 10 + 1).astype(np.int16),
        "propensity": np.where(rng.random(n_shown) < 0.02, 0.01, 1.0).astype(np.float32),
    }  # fmt: skip
    pq.write_table(pa.table(shown), public / "impressions.parquet", compression="zstd", row_group_size=150_000)
    rows = np.sort(rng.choice(n_shown, n_out, replace=False))
    came = {name: shown[name][rows] for name in ("request_id", "session_id", "user_id", "item_id")}
    happened = shown["ts"][rows] + rng.exponential(60.0, n_out)
    kinds = pa.array(np.array(["click", "dwell", "like"])[rng.integers(0, 3, n_out)])
    table = {
        "event_ts": happened,
        "ingest_ts": happened + 10.0,
        **came,
        "kind": kinds,
        "value": np.ones(n_out, np.float32),
    }
    pq.write_table(pa.table(table), public / "outcomes.parquet", compression="zstd")


def _people(public: Path, rng: np.random.Generator) -> None:
    who = np.arange(USERS, dtype=np.int32)
    pq.write_table(pa.table({
        "user_id": who, "key": [f"u{user:06d}" for user in who], "region": ["EU"] * USERS, "jurisdiction": ["gdpr"] * USERS,
        "lang": ["en"] * USERS, "age_band": ["25-34"] * USERS, "gender": ["unknown"] * USERS, "created_ts": np.ones(USERS),
    }), public / "users.parquet")  # fmt: skip
    purposes = ("personalisation", "sensitive", "ads_profiling")
    pq.write_table(pa.table({
        "user_id": np.tile(who, 3), "purpose": np.repeat(purposes, USERS), "state": ["granted"] * (3 * USERS),
        "effective_ts": np.ones(3 * USERS), "jurisdiction": ["gdpr"] * (3 * USERS), "signal": ["ui"] * (3 * USERS),
    }), public / "consent_ledger.parquet")  # fmt: skip
    np.savez(public / "catalogue.npz", user_region=np.ones(USERS, np.int8), user_created_ts=rng.random(USERS) + 1)


def _artefact(world: Path, rng: np.random.Generator) -> None:
    n = _ARTEFACT_ROWS
    rows = {
        "user_id": rng.integers(0, USERS, n),
        "item_id": rng.integers(0, ITEMS, n),
        "event_ts": np.full(n, BEGAN_TS),
    }
    data = Lineage(from_ts=BEGAN_TS, to_ts=BEGAN_TS + DAYS * DAY_S, rows=n, digest="")
    manifest = Manifest(
        artifact="ranker", version="rk-1", created_ts=BEGAN_TS + DAYS * DAY_S, code_hash="", seed=1, data=data
    )
    artefacts.register(world / "registry", manifest, {"training_rows.safetensors": artefacts.pack_arrays(rows)})


def _stage(world: Path, rng: np.random.Generator) -> None:
    folder = world / "pipeline" / "cache" / "training_set" / "0"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": rng.integers(0, USERS, _ARTEFACT_ROWS)}), folder / "examples.parquet")
    (folder / "stage.json").write_text(json.dumps({"stage": "training_set", "newest_ts": BEGAN_TS + DAYS * DAY_S}))


def _lake(run_dir: Path, world: Path, rng: np.random.Generator) -> None:
    """Requests, and spans that hang on them, in segments as a run of some hours leaves them."""
    run_dir.mkdir(parents=True)
    run = RunInfo(
        run_dir=str(run_dir), world="bench", world_dir=str(world), world_start=BEGAN_TS, wall_start=0.0, speed=60.0,
        seed=1, redis="", addresses={}, metrics={},
    )  # fmt: skip
    (run_dir / "run.json").write_text(json.dumps(asdict(run)))
    store = SegmentStore(run_dir / "lake", lambda: 0.0)
    users = rng.integers(0, USERS, _LAKE_ROWS).tolist()
    for start in range(0, _LAKE_ROWS, 5_000):
        for request in range(start, start + 5_000):
            ts, name = BEGAN_TS + request, f"r{request}"
            store.add("outcomes", [row_of.outcomes(
                event_ts=ts, ingest_ts=ts, event_id=name, request_id=name, session_id="s", user_id=users[request],
                item_id=1, kind="click", value=1.0,
            )])  # fmt: skip
            store.add("candidates", [row_of.candidates(
                ts=ts, request_id=name, source="ann", item_id=1, rank=1, score=0.5
            )])  # fmt: skip
        store.flush()


def _floor(world: Path, gone: np.ndarray) -> None:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("gone", pa.table({"user_id": gone}))
        for name in ("impressions", "outcomes"):
            source, target = (str(world / "public" / f"{part}{name}.parquet") for part in ("", "."))
            connection.execute(
                f"COPY (SELECT * FROM read_parquet('{source}') WHERE user_id NOT IN (SELECT user_id FROM gone))"
                f" TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
            )
            Path(target).unlink()


def _plant(world: Path, gone: np.ndarray) -> int:
    """Puts rows of some erased back, as a backfill that looks nowhere would. Returns how many."""
    path = world / "public" / "consent_ledger.parquet"
    table = pq.read_table(path)
    back = table.slice(0, 10).set_column(0, "user_id", pa.array(gone[:10].astype(np.int32)))
    pq.write_table(pa.concat_tables([table, back]), path)
    return back.num_rows


def _timed(report: Report, name: str, work: Callable[[], Any]) -> None:
    began, busy = time.perf_counter(), time.process_time()
    work()
    report.figures |= {f"{name}_s": time.perf_counter() - began, f"{name}_cpu_s": time.process_time() - busy}
