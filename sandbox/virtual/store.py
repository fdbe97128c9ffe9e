"""What Redis holds on a live stack: rows by entity and view, with their ages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.features import (
    ITEM_STATS,
    USER_PROFILE,
    USER_SEEN,
    USER_SESSION,
    VIEWS,
    FeatureView,
    Rows,
    Status,
)


@dataclass
class _Table:
    """One view held densely: rows of a batch job. values: float32 [n, columns]; event_ts: float64 [n],
    NaN where there is no row; run: uint64 [n]."""

    values: np.ndarray
    event_ts: np.ndarray
    run: np.ndarray

    @classmethod
    def empty(cls, view: FeatureView, n: int) -> _Table:
        return cls(np.tile(view.default_row, (n, 1)), np.full(n, np.nan), np.zeros(n, np.uint64))

    def put(self, ids: np.ndarray, values: np.ndarray, event_ts: np.ndarray, run: int) -> None:
        self.values[ids], self.event_ts[ids], self.run[ids] = values, event_ts, run


@dataclass(frozen=True)
class Written:
    """A row of a streamed view. since: wall seconds at which it was committed."""

    since: float
    values: np.ndarray
    event_ts: float
    run: int


@dataclass
class Store:
    """All rows of one run. down_until: wall seconds until which it does not answer.

    A streamed row keeps the version before it: a batch of reads may ask for a moment just before the
    latest commit.
    """

    catalogue: Catalogue
    down_until: float = 0.0
    n_reads: int = 0  # keys read, for redis_stats
    n_commands: int = 0
    views: Mapping[str, FeatureView] = field(default_factory=lambda: dict(VIEWS))

    def __post_init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Everything is gone, as after a restart of Redis."""
        self._batch = {
            USER_PROFILE.name: _Table.empty(USER_PROFILE, self.catalogue.n_users),
            ITEM_STATS.name: _Table.empty(ITEM_STATS, self.catalogue.n_items),
        }
        self._streamed: dict[str, dict[int, tuple[Written, Written | None]]] = {
            USER_SESSION.name: {}, USER_SEEN.name: {},
        }  # fmt: skip

    @property
    def n_keys(self) -> int:
        """Rows held."""
        batch = sum(int(np.isfinite(t.event_ts).sum()) for t in self._batch.values())
        return batch + sum(len(rows) for rows in self._streamed.values())

    def put_batch(
        self, view: str, ids: np.ndarray, values: np.ndarray, event_ts: np.ndarray, run: int
    ) -> None:
        self._batch[view].put(ids, values, event_ts, run)

    def put_streamed(self, view: str, user: int, row: Written) -> None:
        held = self._streamed[view].get(user)
        self._streamed[view][user] = (row, held[0] if held else None)

    def streamed(self, view: str, user: int, wall: float = float("inf")) -> Written | None:
        """The row as it stood at a wall time, None where there was none."""
        held = self._streamed[view].get(user)
        if held is None:
            return None
        return held[0] if held[0].since <= wall else held[1]

    def items(self, ids: np.ndarray, now: float) -> Rows:
        """Rows of item_stats. now: world seconds."""
        return self._of_table(ITEM_STATS.name, ids, now)

    def user(self, user: int, wall: float, now: float) -> tuple[Rows, Rows, Rows]:
        """One row each of user_profile, user_session and user_seen, as at wall and world time."""
        return (
            self._of_table(USER_PROFILE.name, np.array([user]), now),
            self._of_stream(USER_SESSION.name, user, wall, now),
            self._of_stream(USER_SEEN.name, user, wall, now),
        )

    def still(self, user: int, rows: tuple[Rows, Rows, Rows]) -> bool:
        """True when the streamed rows are what they were when `rows` were read."""
        for view, held in ((USER_SESSION.name, rows[1]), (USER_SEEN.name, rows[2])):
            row = self.streamed(view, user)
            ts = math.nan if row is None else row.event_ts
            if not (ts == held.event_ts[0] or (math.isnan(ts) and math.isnan(held.event_ts[0]))):
                return False
        return True

    def _of_table(self, view: str, ids: np.ndarray, now: float) -> Rows:
        table, spec = self._batch[view], self.views[view]
        event_ts = table.event_ts[ids]
        there = np.isfinite(event_ts)
        expired = there & (now - event_ts > spec.max_age_s)
        status = np.where(there, np.where(expired, Status.EXPIRED, Status.PRESENT), Status.MISSING)
        values = table.values[ids]
        bad = status != Status.PRESENT
        if bad.any():
            values[bad] = spec.default_row
        return Rows(values, event_ts, status.astype(np.uint8), table.run[ids])

    def _of_stream(self, view: str, user: int, wall: float, now: float) -> Rows:
        spec, row = self.views[view], self.streamed(view, user, wall)
        if row is None:
            return Rows(
                spec.default_row[None, :], np.array([np.nan]),
                np.array([Status.MISSING], np.uint8), np.zeros(1, np.uint64),
            )  # fmt: skip
        fresh = now - row.event_ts <= spec.max_age_s
        return Rows(
            row.values[None, :] if fresh else spec.default_row[None, :],
            np.array([row.event_ts]),
            np.array([Status.PRESENT if fresh else Status.EXPIRED], np.uint8),
            np.array([row.run], np.uint64),
        )
