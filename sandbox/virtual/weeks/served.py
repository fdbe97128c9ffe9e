"""Slates that were shown and what users did with them, as columns: what a cohort hands on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Served:
    """One row per request, k slots each; -1 pads slates. Times are world seconds since the epoch.

    A slot's columns are False, NaN or 0 where nothing happened. click_ts: when it was clicked; dwell_s:
    float32, how long it held the user; converted_ts: when the conversion that follows matures, however
    late; revenue: float32, of that conversion.
    """

    ts: np.ndarray  # float64 [n]
    user: np.ndarray  # int64 [n]
    session: np.ndarray  # int64 [n]
    depth: np.ndarray  # int64 [n], from 1
    arm: np.ndarray  # int64 [n]
    satisfaction: np.ndarray  # float64 [n], 0..1, after the slate
    left: np.ndarray  # bool [n], the visit ended with it
    gap_s: np.ndarray  # float64 [n], world seconds to the user's next visit, NaN unless it ended
    lost: np.ndarray  # float64 [n], 0..1: chance of no visit within a week, NaN unless it ended
    item: np.ndarray  # int64 [n, k]
    randomised: np.ndarray  # bool [n, k]
    click_ts: np.ndarray  # float64 [n, k]
    dwell_s: np.ndarray  # float32 [n, k]
    liked: np.ndarray  # bool [n, k]
    hidden: np.ndarray  # bool [n, k]
    converted_ts: np.ndarray  # float64 [n, k]
    revenue: np.ndarray  # float32 [n, k]

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def clicked(self) -> np.ndarray:
        return ~np.isnan(self.click_ts)

    def take(self, rows: np.ndarray) -> Served:
        """The rows of a mask or of positions."""
        return Served(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def joined(cls, parts: Iterable[Served]) -> Served:
        """All of them in order of time and, within it, of user: the same, however they were divided."""
        held = list(parts)
        whole = cls(**{f.name: np.concatenate([getattr(part, f.name) for part in held]) for f in fields(cls)})
        return whole.take(np.lexsort((whole.depth, whole.user, whole.ts)))

    @classmethod
    def none(cls, k: int) -> Served:
        """No rows."""
        flat = {"ts": float, "satisfaction": float, "gap_s": float, "lost": float, "left": bool}
        slots = {
            "item": np.int64, "randomised": bool, "click_ts": float, "dwell_s": np.float32,
            "liked": bool, "hidden": bool, "converted_ts": float, "revenue": np.float32,
        }  # fmt: skip
        columns = {name: np.zeros(0, flat.get(name, np.int64)) for name in _FLAT}
        return cls(**columns, **{name: np.zeros((0, k), of) for name, of in slots.items()})


_FLAT = ("ts", "user", "session", "depth", "arm", "satisfaction", "left", "gap_s", "lost")
