"""Batch features carried on from an offline snapshot by what happened since: arrays in, arrays out.

The snapshot holds smoothed rates, not counts; the counts behind them follow from the rates exactly,
so the job needs neither the history nor its memory. What leaves the 28-day window while a run lasts
is kept: a run covers hours or days of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.features import ITEM_STATS, LONG_DWELL_S, N_TOPICS, RATE_SMOOTHING, TOPIC_SMOOTHING, USER_PROFILE

_HOURS = 24  # slots of live counts behind ctr_24h
_TOPIC_0 = USER_PROFILE.columns.index("topic_00")


class EventLike(Protocol):
    """An entry of the event stream."""

    @property
    def kind(self) -> str: ...
    @property
    def user(self) -> int: ...
    @property
    def ts(self) -> float: ...
    @property
    def items(self) -> Sequence[int]: ...
    @property
    def value(self) -> float: ...


class Rate:
    """A smoothed rate per entity and the hits behind it. hits: float64 [n]. prior: the overall rate
    of the snapshot, of which every entity counts RATE_SMOOTHING tries."""

    def __init__(self, rates: np.ndarray, tries: np.ndarray) -> None:
        weighted = rates * (tries + RATE_SMOOTHING)  # hits + RATE_SMOOTHING * prior
        untried = tries < 0.5
        if untried.any():
            self.prior = float(np.median(rates[untried]))  # nothing else is in their rate
        else:  # summed over all entities, hits are prior * tries
            self.prior = float(weighted.sum() / (tries.sum() + len(tries) * RATE_SMOOTHING))
        self.hits = np.maximum(np.rint(weighted - RATE_SMOOTHING * self.prior), 0.0)

    def over(self, tries: np.ndarray) -> np.ndarray:
        """float64 [n], 0..1."""
        smoothed: np.ndarray = (self.hits + RATE_SMOOTHING * self.prior) / (tries + RATE_SMOOTHING)
        return smoothed


class LiveFeatures:
    """user_profile and item_stats as of any later time.

    user_id: int64 [n], whom the rows of `profile` (float32 [n, 36]) belong to. stats: float32
    [items, 16]. Both as of `ts`, world seconds.
    """

    def __init__(
        self, catalogue: Catalogue, user_id: np.ndarray, profile: np.ndarray, stats: np.ndarray, ts: float
    ) -> None:
        self.catalogue, self.user_id, self.ts = catalogue, user_id, ts
        self.newest_event_ts = ts
        self._row = np.full(catalogue.n_users, -1, np.int64)  # of a user, -1: may not be known
        self._row[user_id] = np.arange(len(user_id))
        self._profile, self._stats = profile, stats
        user = {name: profile[:, i].astype(np.float64) for i, name in enumerate(USER_PROFILE.columns)}
        item = {name: stats[:, i].astype(np.float64) for i, name in enumerate(ITEM_STATS.columns)}
        self.user_shown = np.rint(np.expm1(user["impressions_28d_log"]))
        self.user_clicked = np.rint(np.expm1(user["clicks_28d_log"]))
        self.user_ctr = Rate(user["ctr_28d"], self.user_shown)
        self.user_long = Rate(user["long_dwell_rate_28d"], self.user_clicked)
        self.user_converted = Rate(user["conversion_rate_28d"], self.user_clicked)
        self.shown = np.rint(np.expm1(item["impressions_log"]))
        self.clicked = np.rint(np.expm1(item["clicks_log"]))
        self.ctr = Rate(item["ctr_28d"], self.shown)
        self.long = Rate(item["long_dwell_rate"], self.clicked)
        self.converted = Rate(item["conversion_rate"], self.clicked)
        self.liked = Rate(item["like_rate"], self.clicked)
        self.hidden = Rate(item["hide_rate"], self.shown)
        self.dwell_s = np.expm1(item["dwell_mean_log"]) * np.maximum(self.clicked, 1.0)
        self.ctr_24h = item["ctr_24h"]
        self.last_ts = ts - user["days_since_last"] * DAY_S
        self.item_last_ts = np.full(catalogue.n_items, ts)  # of the history only its end is known
        shares = profile[:, _TOPIC_0 : _TOPIC_0 + N_TOPICS].astype(np.float64)
        total = np.minimum(shares.sum(axis=1, keepdims=True), 1 - 1e-6)
        self.topics = shares * (TOPIC_SMOOTHING / (1.0 - total))  # undoes mass / (mass + smoothing)
        # Live counts by hour, a ring: impressions and clicks of the last day, per item.
        self._recent = np.zeros((2, _HOURS, catalogue.n_items), np.float32)
        self._hour = np.full(_HOURS, -1, np.int64)

    def add(self, events: Iterable[EventLike]) -> list[float]:
        """Counts events in. Returns the event time of each; those of unknown users or items are left out."""
        counted: list[float] = []
        n_users, n_items = self.catalogue.n_users, self.catalogue.n_items
        for event in events:
            items = [i for i in event.items if 0 <= i < n_items]
            if not items or not 0 <= event.user < n_users:
                continue
            counted.append(event.ts)
            self.newest_event_ts = max(self.newest_event_ts, event.ts)
            self._count(event, items, int(self._row[event.user]))
        return counted

    def add_many(self, kind: str, user: np.ndarray, item: np.ndarray, ts: np.ndarray, value: np.ndarray) -> None:
        """`add` for many events of one kind, of known users and items, one entry for each item.

        user, item: int64 [n]; ts: float64 [n], world seconds; value: [n], seconds of a dwell.
        """
        if not len(user):
            return
        self.newest_event_ts = max(self.newest_event_ts, float(ts.max()))
        n_items, ones = self.catalogue.n_items, np.ones(len(item))
        np.maximum.at(self.item_last_ts, item, ts)
        long = (value >= LONG_DWELL_S) & (kind == "dwell")
        hits = {"click": self.ctr, "conversion": self.converted, "like": self.liked,
                "hide": self.hidden, "dwell": self.long}  # fmt: skip
        if kind in hits:
            weight = long if kind == "dwell" else ones
            hits[kind].hits += np.bincount(item, weight, n_items)
        if kind == "impressions":
            self.shown += np.bincount(item, minlength=n_items)
        elif kind == "click":
            self.clicked += np.bincount(item, minlength=n_items)
        elif kind == "dwell":
            self.dwell_s += np.bincount(item, value, n_items)
        if kind in ("impressions", "click"):
            hour = ts // 3600
            for one in np.unique(hour):  # oldest first, as they came
                self._count_today(int(kind == "click"), item[hour == one].tolist(), one * 3600)
        known = self._row[user] >= 0
        row, item, ts, n = self._row[user][known], item[known], ts[known], len(self.user_id)
        np.maximum.at(self.last_ts, row, ts)
        counts = np.bincount(row, minlength=n)
        if kind == "impressions":
            self.user_shown += counts
        elif kind == "click":
            self.user_clicked += counts
            self.user_ctr.hits += counts
            np.add.at(self.topics, row, self.catalogue.item_topics[item])
        elif kind == "dwell":
            self.user_long.hits += np.bincount(row, long[known], n)
        elif kind == "conversion":
            self.user_converted.hits += counts

    def _count(self, event: EventLike, items: list[int], row: int) -> None:
        """row: of the user among those who may be known, -1 for the others: then only items count."""
        item, kind = items[0], event.kind
        self.item_last_ts[items] = np.maximum(self.item_last_ts[items], event.ts)
        long = kind == "dwell" and event.value >= LONG_DWELL_S
        if kind == "impressions":
            np.add.at(self.shown, items, 1)
            self._count_today(0, items, event.ts)
        elif kind == "click":
            self.clicked[item] += 1
            self.ctr.hits[item] += 1
            self._count_today(1, [item], event.ts)
        elif kind == "dwell":
            self.dwell_s[item] += event.value
            self.long.hits[item] += long
        elif kind in ("conversion", "like", "hide"):
            {"conversion": self.converted, "like": self.liked, "hide": self.hidden}[kind].hits[item] += 1
        if row < 0:
            return
        self.last_ts[row] = max(self.last_ts[row], event.ts)
        if kind == "impressions":
            self.user_shown[row] += len(items)
        elif kind == "click":
            self.user_clicked[row] += 1
            self.user_ctr.hits[row] += 1
            self.topics[row] += self.catalogue.item_topics[item]
        self.user_long.hits[row] += long
        self.user_converted.hits[row] += kind == "conversion"

    def _count_today(self, what: int, items: list[int], ts: float) -> None:
        """what: 0 impressions, 1 clicks. Events more than a day older than others are left out."""
        hour = int(ts // 3600)
        slot = hour % _HOURS
        if hour > self._hour[slot]:  # a day later: what the slot held has left the window
            self._hour[slot] = hour
            self._recent[:, slot] = 0
        if hour == self._hour[slot]:
            np.add.at(self._recent[what, slot], items, 1)

    def profile(self, ts: float) -> np.ndarray:
        """Rows of user_profile as of ts for `user_id`, float32 [n, 36]."""
        tenure = np.maximum(ts - self.catalogue.user_created_ts[self.user_id], 0.0) / DAY_S
        mass = self.topics.sum(axis=1, keepdims=True)
        columns = {
            "impressions_28d_log": np.log1p(self.user_shown),
            "clicks_28d_log": np.log1p(self.user_clicked),
            "ctr_28d": self.user_ctr.over(self.user_shown),
            "long_dwell_rate_28d": self.user_long.over(self.user_clicked),
            "conversion_rate_28d": self.user_converted.over(self.user_clicked),
            "days_since_last": np.minimum((ts - self.last_ts) / DAY_S, 28.0),
            "tenure_days_log": np.log1p(tenure),
        }
        rows = _replaced(USER_PROFILE.columns, self._profile, columns)
        rows[:, _TOPIC_0 : _TOPIC_0 + N_TOPICS] = self.topics / (mass + TOPIC_SMOOTHING)
        return rows

    def stats(self, ts: float) -> np.ndarray:
        """Rows of item_stats as of ts, float32 [items, 16].

        ctr_24h: the live day, beside which the last day of the history counts RATE_SMOOTHING
        impressions: its own counts are not known.
        """
        live = self._recent[:, self._hour >= int(ts // 3600) - _HOURS + 1].sum(axis=1)
        age_h = np.maximum(ts - self.catalogue.item_published_ts, 0.0) / 3600.0
        creator, n = self.catalogue.item_creator, len(self.catalogue.creator_group)
        clicked = np.bincount(creator, self.clicked, minlength=n)
        shown = np.bincount(creator, self.shown, minlength=n)
        prior = RATE_SMOOTHING * self.ctr.prior
        columns = {
            "impressions_log": np.log1p(self.shown),
            "clicks_log": np.log1p(self.clicked),
            "ctr_28d": self.ctr.over(self.shown),
            "ctr_24h": (live[1] + RATE_SMOOTHING * self.ctr_24h) / (live[0] + RATE_SMOOTHING),
            "long_dwell_rate": self.long.over(self.clicked),
            "like_rate": self.liked.over(self.clicked),
            "hide_rate": self.hidden.over(self.shown),
            "conversion_rate": self.converted.over(self.clicked),
            "dwell_mean_log": np.log1p(self.dwell_s / np.maximum(self.clicked, 1.0)),
            "age_h_log": np.log1p(age_h),
            "creator_ctr": ((clicked + prior) / (shown + RATE_SMOOTHING))[creator],
        }
        return _replaced(ITEM_STATS.columns, self._stats, columns)


def _replaced(names: tuple[str, ...], rows: np.ndarray, columns: dict[str, np.ndarray]) -> np.ndarray:
    """A copy of rows [n, names] with some columns changed."""
    changed = rows.astype(np.float32)
    for name, values in columns.items():
        changed[:, names.index(name)] = values
    return changed
