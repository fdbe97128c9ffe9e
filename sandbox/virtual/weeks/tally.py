"""What each arm came to, day by day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.base.catalogue import CREATOR_GROUPS, Catalogue
from sandbox.base.clock import DAY_S
from sandbox.virtual.weeks.served import Served

_RETURNING_S = 7 * DAY_S  # who was here within it counts as returning
_GROUP_B = CREATOR_GROUPS.index("B")
_PER_USER = ("requests", "impressions", "clicks", "conversions", "revenue", "visits")


@dataclass
class Tally:
    """Counts by arm and day. Days begin when the simulation does; users: int64, of each arm."""

    catalogue: Catalogue
    arm_of: np.ndarray  # int64 [users of the world], -1: takes no part
    names: tuple[str, ...]
    start_ts: float
    days: int
    _rows: list[list[dict[str, Any]]] = field(default_factory=list)
    _last_ts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self._rows = [[] for _ in self.names]
        n = len(self.arm_of)
        self._last_ts = np.full(n, -np.inf)
        self._conversions: list[tuple[np.ndarray, ...]] = []  # arm, click day, day it matures, revenue
        self.per_user = {name: np.zeros(n) for name in _PER_USER}

    def seen_before(self, user: np.ndarray, ts: np.ndarray) -> None:
        """When users were last here before the simulation began."""
        self._last_ts[user] = ts

    def close_day(self, day: int, served: Served) -> None:
        """served: all requests of the day, in order of time. day: from 0."""
        end_ts = self.start_ts + (day + 1) * DAY_S
        n_out = int((self.catalogue.item_published_ts <= end_ts).sum())
        for arm in range(len(self.names)):
            mine = served.take(served.arm == arm)
            self._rows[arm].append({"day": day + 1, **self._day(mine, n_out, end_ts - DAY_S)})
        self._note_users(served)
        row, slot = np.nonzero(~np.isnan(served.converted_ts))
        matures = ((served.converted_ts[row, slot] - self.start_ts) // DAY_S).astype(np.int64)
        self._conversions.append((served.arm[row], np.full(len(row), day), matures, served.revenue[row, slot]))

    def _day(self, mine: Served, n_out: int, begins_ts: float) -> dict[str, Any]:
        real = mine.item >= 0
        item, active = mine.item[real], np.unique(mine.user)
        shown = np.sort(np.bincount(item, minlength=self.catalogue.n_items))[::-1]
        impressions, clicks = len(item), int(mine.clicked.sum())
        group = self.catalogue.creator_group[self.catalogue.item_creator[item]]
        top = shown[: max(1, n_out // 100)].sum()
        newest = begins_ts - self.catalogue.item_published_ts[item] < 7 * DAY_S
        return {
            "active_users": len(active),
            "returning_users": int((self._last_ts[active] >= begins_ts - _RETURNING_S).sum()),
            "sessions": int((mine.depth == 1).sum()),
            "requests": len(mine),
            "impressions": impressions,
            "clicks": clicks,
            "ctr": _ratio(clicks, impressions),
            "satisfaction": _mean(mine.satisfaction[mine.left]),
            "lost_users": float(mine.lost[mine.left].sum()),
            "coverage": _ratio(int((shown > 0).sum()), n_out),
            "top_1pct_share": _ratio(int(top), impressions),
            "group_b_share": _ratio(int((group == _GROUP_B).sum()), impressions),
            "new_item_share": _ratio(int(newest.sum()), impressions),
        }

    def _note_users(self, served: Served) -> None:
        n = len(self.arm_of)
        self._last_ts[served.user] = served.ts  # in order of time: the latest stays
        end_ts = self.start_ts + self.days * DAY_S
        counted = served.converted_ts < end_ts
        for name, values in (
            ("requests", np.ones(len(served))),
            ("visits", served.depth == 1),
            ("impressions", (served.item >= 0).sum(axis=1)),
            ("clicks", served.clicked.sum(axis=1)),
            ("conversions", counted.sum(axis=1)),
            ("revenue", (served.revenue * counted).sum(axis=1)),
        ):
            self.per_user[name] += np.bincount(served.user, weights=values, minlength=n)

    def document(self) -> list[dict[str, Any]]:
        """One entry per arm: name, users, days, total."""
        arms = []
        columns = [np.concatenate(parts) for parts in zip(*self._conversions, strict=True)]
        for arm, name in enumerate(self.names):
            days, n = self._rows[arm], len(self._rows[arm])
            _, clicked, matures, revenue = (c[columns[0] == arm] for c in columns)
            by_click = np.bincount(clicked, minlength=n)
            known = matures < n  # the others are decided, but nobody can know it yet
            known_by_click = np.bincount(clicked[known], minlength=n)
            by_maturity = np.bincount(matures[known], minlength=n)
            earned = np.bincount(matures[known], weights=revenue[known], minlength=n)
            waited = np.bincount(matures[known], weights=(matures - clicked)[known], minlength=n)
            for d, row in enumerate(days):
                row["conversions_by_click_day"] = int(known_by_click[d])
                row["conversions_to_come"] = int(by_click[d] - known_by_click[d])
                row["conversions_by_maturity_day"] = int(by_maturity[d])
                row["mean_delay_days"] = _ratio(float(waited[d]), int(by_maturity[d]))
                row["revenue"] = float(earned[d])
            users = int((self.arm_of == arm).sum())
            arms.append({"name": name, "users": users, "days": days, "total": self._total(arm, days)})
        return arms

    def _total(self, arm: int, days: list[dict[str, Any]]) -> dict[str, Any]:
        mine = self.arm_of == arm
        total: dict[str, Any] = {
            name: sum(row[name] for row in days)
            for name in ("sessions", "requests", "impressions", "clicks", "revenue", "lost_users")
        }
        total["conversions"] = sum(row["conversions_by_maturity_day"] for row in days)
        total["conversions_to_come"] = sum(row["conversions_to_come"] for row in days)
        total["ctr"] = _ratio(total["clicks"], total["impressions"])
        total["active_users"] = int((self.per_user["requests"][mine] > 0).sum())
        weights = np.array([row["sessions"] for row in days], float)
        moods = [row["satisfaction"] or 0.0 for row in days]
        total["satisfaction"] = float(np.average(moods, weights=weights)) if weights.sum() else None
        return total


def _ratio(part: float, whole: int) -> float | None:
    """None where there is nothing to be a part of."""
    return part / whole if whole else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
