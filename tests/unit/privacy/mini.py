"""A world of a few people, written by hand: what is in it is what a test put there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.catalogue import JURISDICTIONS
from sandbox.base.clock import DAY_S

NOW = 1_772_438_400.0  # 2 March 2026: the end of its history
REGIONS = ("EU", "UK", "US-CA", "US", "CA", "BR", "AU")

Said = tuple[int, str, str, float]  # user, purpose, state, days before NOW


def people(n: int) -> list[dict[str, Any]]:
    """Adults, one region after the other, who said yes to everything a year ago."""
    return [{"user_id": u, "region": REGIONS[u % len(REGIONS)], "age_band": "25-34"} for u in range(n)]


def yes(n: int) -> list[Said]:
    return [(u, p, "granted", 365.0) for u in range(n) for p in ("personalisation", "sensitive", "ads_profiling")]


def world(
    folder: Path,
    who: Sequence[dict[str, Any]],
    said: Sequence[Said],
    shown: Sequence[tuple[int, float]],
    *,
    trained: Sequence[int] = (),
) -> Path:
    """shown: user and days before NOW. trained: users of the rows kept with the ranker, made at NOW."""
    public = folder / "public"
    public.mkdir(parents=True)
    n = 1 + max(p["user_id"] for p in who)
    law = {p["user_id"]: p.get("jurisdiction", JURISDICTIONS[p["region"]]) for p in who}
    _write(public / "users.parquet", {
        "user_id": pa.array([p["user_id"] for p in who], pa.int32()), "key": [f"key-{p['user_id']}" for p in who],
        "region": [p["region"] for p in who], "jurisdiction": [law[p["user_id"]] for p in who],
        "lang": ["en"] * len(who), "age_band": [p["age_band"] for p in who], "gender": ["unknown"] * len(who),
        "created_ts": [NOW - 400 * DAY_S] * len(who),
    })  # fmt: skip
    _write(public / "consent_ledger.parquet", {
        "user_id": pa.array([s[0] for s in said], pa.int32()), "purpose": pa.array([s[1] for s in said], pa.string()),
        "state": pa.array([s[2].partition("/")[0] for s in said], pa.string()),
        "effective_ts": pa.array([NOW - s[3] * DAY_S for s in said], pa.float64()),
        "jurisdiction": pa.array([law[s[0]] for s in said], pa.string()),
        "signal": pa.array([s[2].partition("/")[2] or "ui" for s in said], pa.string()),
    })  # fmt: skip
    order = sorted(shown, key=lambda row: -row[1])
    times = pa.array([NOW - days * DAY_S for _, days in order], pa.float64())
    ids = {
        "request_id": pa.array(range(len(order)), pa.int64()), "session_id": pa.array(range(len(order)), pa.int64()),
        "user_id": pa.array([user for user, _ in order], pa.int32()), "item_id": pa.array([0] * len(order), pa.int32()),
    }  # fmt: skip
    _write(public / "impressions.parquet", {
        "ts": times, **ids, "position": pa.array([1] * len(order), pa.int16()),
        "propensity": pa.array([1.0] * len(order), pa.float32()),
    })  # fmt: skip
    _write(public / "outcomes.parquet", {
        "event_ts": times.slice(0, 0), "ingest_ts": times.slice(0, 0),
        **{name: column.slice(0, 0) for name, column in ids.items()},
        "kind": pa.array([], pa.string()), "value": pa.array([], pa.float32()),
    })  # fmt: skip
    np.savez(
        public / "catalogue.npz", user_region=np.ones(n, np.int8), user_personalised=np.ones(n, bool),
        follows_indptr=np.arange(n + 1), follows_creator=np.zeros(n, np.int32), item_creator=np.zeros(3, np.int32),
    )  # fmt: skip
    manifest = {
        "name": folder.name, "source": "csv", "seed": 1, "users": n, "items": 3, "creators": 1, "events": 0,
        "impressions": len(order), "has_negatives": True, "history_start_ts": NOW - 28 * DAY_S, "history_end_ts": NOW,
        "topics": ["all"], "content_hash": "made", "built": "",
    }  # fmt: skip
    (folder / "world.json").write_text(json.dumps(manifest))
    if trained:
        keep_rows(folder, trained)
    return folder


def keep_rows(folder: Path, users: Sequence[int], version: str = "rk-1") -> None:
    """A ranker that keeps rows of these users."""
    rows = {"user_id": np.array(users, np.int64), "event_ts": np.full(len(users), NOW - DAY_S)}
    data = Lineage(from_ts=NOW - 28 * DAY_S, to_ts=NOW, rows=len(users), digest="")
    manifest = Manifest(artifact="ranker", version=version, created_ts=NOW, code_hash="", seed=1, data=data)
    artefacts.register(folder / "registry", manifest, {"training_rows.safetensors": artefacts.pack_arrays(rows)})


def _write(path: Path, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), path)
