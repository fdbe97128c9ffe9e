"""What slates were worth to those who saw them, by the world's own truth. Pure but for the lake's query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sandbox.telemetry.sql import SqlWorker
from sandbox.world.behaviour import Behaviour

MOST_ROWS = 1_000_000
CHUNK = 256  # users at once against all items


def worth(
    behaviour: Behaviour, users: NDArray[np.int64], sessions: NDArray[np.int64], items: NDArray[np.int64]
) -> float:
    """Expected clicks of the slates, as a share of what the best items for the same users would have, 0..1. users,
    sessions: int64 [n]. items: int64 [n, k] in the order shown, -1 for a place that stayed empty."""
    if not len(users):
        return 0.0
    seen = behaviour.examination(users, items.shape[1])
    mine = behaviour.click_probability(users, np.maximum(items, 0), sessions)
    found = float((seen * mine * (items >= 0)).sum())
    best, k = 0.0, items.shape[1]
    for at in range(0, len(users), CHUNK):
        rows = slice(at, at + CHUNK)
        pull = behaviour.attraction_to_all(users[rows], sessions[rows])
        top = -np.sort(-np.partition(pull, -k, axis=1)[:, -k:], axis=1)
        best += float((seen[rows] / (1 + np.exp(-top))).sum())
    return found / best


def shown(
    lake: Path, began_ts: float, ended_ts: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(users, sessions, items) of the slates answered between two world times, as `worth` takes them."""
    with SqlWorker(lake) as worker:
        rows = worker.query(
            f"""SELECT request_id, any_value(user_id), any_value(session_id::BIGINT), list(item_id ORDER BY position)
                FROM impressions WHERE epoch(ts) BETWEEN {began_ts!r} AND {ended_ts!r} GROUP BY request_id ORDER BY request_id""",
            timeout_s=60, max_rows=MOST_ROWS,
        ).rows  # fmt: skip
    k = max((len(row[3]) for row in rows), default=1)
    items = np.array([[*row[3], *[-1] * (k - len(row[3]))] for row in rows], np.int64).reshape(-1, k)
    return np.array([r[1] for r in rows], np.int64), np.array([r[2] for r in rows], np.int64), items
