"""Rows as the virtual store holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.base.features import FeatureView, Rows


@dataclass(frozen=True)
class Written:
    """A row. values: float32 [columns]."""

    values: np.ndarray
    event_ts: float
    run: int


@dataclass
class Table:
    """One view held densely: rows of a batch job. values: float32 [n, columns]; event_ts: float64 [n],
    NaN where there is no row; run: uint64 [n]. n: rows there are."""

    values: np.ndarray
    event_ts: np.ndarray
    run: np.ndarray
    n: int = 0

    @classmethod
    def empty(cls, view: FeatureView, n: int) -> Table:
        return cls(np.tile(view.default_row, (n, 1)), np.full(n, np.nan), np.zeros(n, np.uint64))

    def copy(self) -> Table:
        return Table(self.values.copy(), self.event_ts.copy(), self.run.copy(), self.n)

    def row(self, id: int) -> Written | None:
        """A copy of one row, None where there is none."""
        ts = float(self.event_ts[id])
        return None if math.isnan(ts) else Written(self.values[id].copy(), ts, int(self.run[id]))

    def put(self, ids: np.ndarray, values: np.ndarray, event_ts: np.ndarray, run: int) -> None:
        self.values[ids], self.event_ts[ids], self.run[ids] = values, event_ts, run
        self.n = int(np.count_nonzero(np.isfinite(self.event_ts)))

    def drop(self, id: int) -> bool:
        """Whether there was such a row."""
        if math.isnan(self.event_ts[id]):
            return False
        self.event_ts[id] = np.nan
        self.n -= 1
        return True


def joined(view: FeatureView, rows: Sequence[Rows]) -> Rows:
    """Rows read one by one."""
    if not rows:
        empty = np.empty((0, len(view.columns)), np.float32)
        return Rows(empty, np.empty(0), np.empty(0, np.uint8), np.empty(0, np.uint64))
    return Rows(
        np.concatenate([r.values for r in rows]),
        np.concatenate([r.event_ts for r in rows]),
        np.concatenate([r.status for r in rows]),
        np.concatenate([r.run for r in rows]),
    )
