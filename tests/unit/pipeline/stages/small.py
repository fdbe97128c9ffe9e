"""The world of two tastes with what the pipeline reads beside the log, and an engine whose clock counts its calls."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.pipeline.stages import check
from sandbox.pipeline.stages.database import connect
from sandbox.pipeline.stages.engine import Engine
from sandbox.pipeline.stages.plan import STAGES
from sandbox.pipeline.stages.sources import of_world
from tests.unit.pipeline.two_tastes import ITEMS, START, USERS, tables, write_world

WITHOUT_CONSENT = 59  # a user whose ledger says no
LAW = "gdpr"


def ledger(**changes: tuple[str, float]) -> dict[str, np.ndarray]:
    """Everybody allows everything from before the start; user 59 nothing. changes: u7=("denied", ts)."""
    rows: list[tuple[int, str, str, float]] = []
    for purpose in ("personalisation", "sensitive"):
        rows += [(u, purpose, "denied" if u == WITHOUT_CONSENT else "granted", START - 1e6) for u in range(USERS)]
        rows += [(int(name[1:]), purpose, state, ts) for name, (state, ts) in changes.items()]
    user, purposes, state, ts = zip(*rows, strict=True)
    return {
        "user_id": np.array(user, np.int32), "purpose": np.array(purposes), "state": np.array(state),
        "effective_ts": np.array(ts), "jurisdiction": np.full(len(user), LAW), "signal": np.full(len(user), ""),
    }  # fmt: skip


def people() -> dict[str, Any]:
    """Grown people where whoever says nothing allows nothing."""
    return {
        "user_id": np.arange(USERS, dtype=np.int32), "key": [f"u{user}" for user in range(USERS)],
        "region": ["EU"] * USERS, "jurisdiction": [LAW] * USERS, "age_band": ["25-34"] * USERS,
    }  # fmt: skip


def small_world(
    where: Path, shown: dict[str, Any] | None = None, outcomes: dict[str, Any] | None = None, **consent: Any
) -> Path:
    """shown, outcomes: instead of those of two tastes."""
    usual = tables()
    world = write_world(where, shown or usual[0], outcomes or usual[1])
    items = {
        "item_id": np.arange(ITEMS, dtype=np.int32), "sens_score": np.where(np.arange(ITEMS) < 3, 0.9, 0.1),
        "sensitivity": np.where(np.arange(ITEMS) < 3, "adult", "none"), "sens_labelled_ts": np.full(ITEMS, START),
    }  # fmt: skip
    pq.write_table(pa.table(items), world / "public" / "items.parquet")
    pq.write_table(pa.table(people()), world / "public" / "users.parquet")
    pq.write_table(pa.table(ledger(**consent)), world / "public" / "consent_ledger.parquet")
    return world


def engine(world: Path, *, checked: bool = True, **more: Any) -> Engine:
    checks = check.standard() if checked else ()
    clock = itertools.count(1_000)
    return Engine(of_world(world), STAGES, checks, lambda: float(next(clock)), lambda: 0.0, **more)


def bytes_of(world: Path) -> dict[str, bytes]:
    """Every dataset that is kept, by its place."""
    return {
        str(path.relative_to(world)): path.read_bytes()
        for path in sorted((world / "pipeline" / "cache").glob("*/[!.]*/*.parquet"))
    }


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """A query over one Parquet file, called `t`."""
    with connect() as db:
        db.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{path}')")
        return db.execute(sql).fetchall()


def dataset(built: Engine, run: Any, name: str) -> Path:
    """The file of a dataset that a run made."""
    stage = next(one for one in run.stages if name in one.outputs)
    entry = built.store.find(stage.stage, stage.key)
    assert entry is not None
    return entry.outputs[name].path
