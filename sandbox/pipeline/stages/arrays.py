"""Between Parquet and the arrays that features and models are made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base.features import ITEM_STATS, USER_PROFILE
from sandbox.pipeline.events import KINDS, Log, known_after
from sandbox.pipeline.features import Snapshot

_ROWS = 122_880  # of a row group, as in what SQL writes


def write_columns(path: Path, columns: Mapping[str, np.ndarray]) -> int:
    """Equal columns make equal bytes. Returns the rows."""
    table = pa.table(dict(columns))
    pq.write_table(table, path, compression="zstd", row_group_size=_ROWS)
    return int(table.num_rows)


def read_columns(path: Path, names: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    table = pq.read_table(path, columns=list(names) if names else None)
    return {name: table.column(name).to_numpy() for name in table.column_names}


def log_of(labels: Path) -> Log:
    """The log that features and examples are made of, from the dataset `labels`.

    Column by column: of ten million rows the whole table beside the log would be another gigabyte.
    """
    file = pq.ParquetFile(labels)

    def column(name: str) -> np.ndarray:
        return np.asarray(file.read([name]).column(0).to_numpy())

    def known(kind: str) -> np.ndarray:
        """A client's clock may be ahead of ours: nothing is known before it happened."""
        return np.asarray(np.maximum(column(f"{kind}_ts"), column(f"{kind}_known_ts")))

    ts, click_ts = column("ts"), column("click_ts")
    return Log(
        ts=ts,
        request=column("request_id"),
        session=column("session_id"),
        user=column("user_id").astype(np.int32),
        item=column("item_id").astype(np.int32),
        position=column("position"),
        randomised=np.nan_to_num(column("propensity"), nan=1.0) < 1.0,
        clicked=~np.isnan(click_ts),
        click_ts=click_ts,
        dwell_s=column("dwell_s"),
        liked=~np.isnan(column("like_ts")),
        hidden=~np.isnan(column("hide_ts")),
        converted_ts=column("conversion_ts"),
        value=np.nan_to_num(column("click_value"), nan=0.0).astype(np.float32),
        known_s=known_after(ts, np.maximum(ts, column("known_ts"))),
        **{f"{kind}_known_s": known_after(ts, known(kind)) for kind in KINDS},
    )


def snapshot_columns(shots: list[Snapshot], users: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Columns of `user_profile` (rows of these users alone) and `item_stats`, a block for each snapshot."""
    n_items = len(shots[0].stats)
    profile = np.concatenate([shot.profile[users] for shot in shots])
    stats = np.concatenate([shot.stats for shot in shots])
    ts = np.array([shot.ts for shot in shots])
    people = {"as_of": np.repeat(ts, len(users)), "user_id": np.tile(users.astype(np.int64), len(shots))}
    things = {"as_of": np.repeat(ts, n_items), "item_id": np.tile(np.arange(n_items), len(shots))}
    return (
        people | {name: profile[:, i] for i, name in enumerate(USER_PROFILE.columns)},
        things | {name: stats[:, i] for i, name in enumerate(ITEM_STATS.columns)},
    )


def snapshots_of(user_profile: Path, item_stats: Path, n_users: int) -> dict[float, Snapshot]:
    """By their time, as they were written: users without a row hold zeros, and are in no example."""
    people, things = read_columns(user_profile), read_columns(item_stats)
    profile = np.stack([people[name] for name in USER_PROFILE.columns], 1)
    stats = np.stack([things[name] for name in ITEM_STATS.columns], 1)
    found = {}
    for ts in np.unique(things["as_of"]):
        mine = people["as_of"] == ts
        rows = np.zeros((n_users, profile.shape[1]), np.float32)
        rows[people["user_id"][mine]] = profile[mine]
        found[float(ts)] = Snapshot(float(ts), rows, stats[things["as_of"] == ts])
    return found
