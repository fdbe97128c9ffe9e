"""Service-level indicators from the rows that pass through the collector. Pure: no clock, no file.

`observe` counts rows as they come; `tick` closes a minute: it gives the rows of `metrics` and the
counts that alerting needs. Rates and latencies are over the trailing `fast_s` of world time,
conversions per click over `slow_s`, coverage and exposure over `coverage_s`; request_rate is per
wall second of the minute itself. Indicators without events in their window give no row.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import Any

import numpy as np

from sandbox.base.rows import Row, row_of
from sandbox.base.schema import TABLES
from sandbox.telemetry.alerts import Tick
from sandbox.telemetry.settings import AlertSettings, IndicatorSettings

Seen = Sequence[Any]
ALL = "all"


def _at(table: str, *columns: str) -> tuple[int, ...]:
    return tuple(TABLES[table].names.index(column) for column in columns)


_REQUEST = _at(
    "requests", "request_id", "region", "depth", "grpc_status", "latency_ms", "degraded", "n_items",
    "n_asked", "session_age_s",
)  # fmt: skip
_IMPRESSION = _at("impressions", "item_id")
_OUTCOME = _at("outcomes", "request_id", "kind", "value")
_READ = _at("feature_reads", "view", "age_p50_s")


@dataclass
class _Minute:
    """Counts between two ticks. counts: name -> events; ages: view -> median age of each read."""

    ts: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    latency_ms: list[float] = field(default_factory=list)
    session_age_s: list[float] = field(default_factory=list)
    ages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    items: Counter[int] = field(default_factory=Counter)


class _Shown:
    """What was shown within a window, kept up as minutes come and go: summing it anew each minute would touch half an
    hour's items each time. by_item: how often each; known: of items whose creator's group is known, of_b: of group B."""

    def __init__(self, seconds: float, in_group_b: np.ndarray) -> None:
        self.by_item: Counter[int] = Counter()
        self.known = self.of_b = 0
        self._seconds, self._in_group_b = seconds, in_group_b.tolist()
        self._minutes: deque[_Minute] = deque()

    def turn(self, minute: _Minute) -> None:
        """The minute comes in, and those leave that ended a window or more before its end."""
        self._minutes.append(minute)
        self._count(minute, 1)
        while self._minutes[0].ts <= minute.ts - self._seconds:
            self._count(self._minutes.popleft(), -1)

    def _count(self, minute: _Minute, sign: int) -> None:
        by_item, in_group_b = self.by_item, self._in_group_b
        for item, shown in minute.items.items():
            by_item[item] += sign * shown
            if not by_item[item]:
                del by_item[item]
            if 0 <= item < len(in_group_b):
                self.known += sign * shown
                self.of_b += sign * shown if in_group_b[item] else 0


class Indicators:
    """Rolling aggregates of one run.

    n_items: size of the catalogue, 0 where unknown (then no coverage). in_group_b: bool [n_items],
    the item's creator is of group B; empty where unknown (then no exposure).
    """

    def __init__(
        self,
        settings: IndicatorSettings,
        alerts: AlertSettings,
        *,
        n_items: int = 0,
        in_group_b: np.ndarray | None = None,
    ) -> None:
        self._settings, self._alerts = settings, alerts
        self._n_items = n_items
        self._shown = _Shown(settings.coverage_s, in_group_b if in_group_b is not None else np.zeros(0, dtype=bool))
        self._minute = _Minute()
        self._past: deque[_Minute] = deque()
        self._regions: dict[str, str] = {}  # request -> region, oldest first
        self._seen = {
            "requests": self._request,
            "impressions": self._impression,
            "outcomes": self._outcome,
            "feature_reads": self._read,
        }

    def observe(self, table: str, rows: Iterable[Seen]) -> None:
        """Count rows of the wire. A row with values of other types is not counted."""
        count: Callable[[Seen], None] | None = self._seen.get(table)
        if count is None:
            return
        for row in rows:
            try:
                count(row)
            except (TypeError, ValueError):
                self._minute.counts["uncounted"] += 1

    def tick(self, ts: float, wall_s: float) -> tuple[Tick, list[Row]]:
        """Close the minute that ends at ts (world seconds) and took wall_s.

        Returns the counts for alerting and the rows of `metrics`.
        """
        minute, self._minute = self._minute, _Minute()
        minute.ts = ts
        self._past.append(minute)
        self._shown.turn(minute)
        while self._past[0].ts <= ts - self._settings.slow_s:
            self._past.popleft()
        values = [("request_rate", ALL, minute.counts["requests"] / wall_s)]
        values += self._rates(ts) + self._latencies(ts) + self._ages(ts) + self._spread()
        rows = [row_of.metrics(ts=ts, name=n, label=label, value=v) for n, label, v in values]
        return self._counts(minute), rows

    def _request(self, row: Seen) -> None:
        request, region, depth, status, latency, degraded, n, asked, age = (row[i] for i in _REQUEST)
        minute = self._minute
        counts = minute.counts
        ok, refused = status == "OK", status == "RESOURCE_EXHAUSTED"  # refused is the client's own doing
        minute.latency_ms.append(float(latency))
        counts["requests"] += 1
        counts["errors"] += not (ok or refused)
        counts["degraded"] += bool(degraded)
        if ok:
            counts["answers"] += 1
            counts["empty"] += n == 0
            counts["short"] += 0 < n < asked
        if region is not None:
            self._regions[request] = region
            counts[f"impressions/{region}"] += n or 0
            if len(self._regions) > self._settings.requests_remembered:
                del self._regions[next(iter(self._regions))]
        if age is not None and depth is not None and depth >= 2:
            minute.session_age_s.append(float(age))

    def _impression(self, row: Seen) -> None:
        item = index(row[_IMPRESSION[0]])
        self._minute.counts["impressions"] += 1
        self._minute.items[item] += 1

    def _outcome(self, row: Seen) -> None:
        request, kind, value = (row[i] for i in _OUTCOME)
        counts = self._minute.counts
        counts[kind] += 1
        if kind == "click":
            region = self._regions.get(request)
            if region is not None:
                counts[f"click/{region}"] += 1
        elif kind == "dwell":
            counts["long_dwell"] += value >= self._settings.long_dwell_s

    def _read(self, row: Seen) -> None:
        view, age = (row[i] for i in _READ)
        if age is not None:
            self._minute.ages[view].append(float(age))

    def _within(self, ts: float, seconds: float) -> list[_Minute]:
        return [minute for minute in self._past if minute.ts > ts - seconds or minute.ts == ts]

    def _sum(self, ts: float, seconds: float) -> Counter[str]:
        total: Counter[str] = Counter()
        for minute in self._within(ts, seconds):
            total.update(minute.counts)
        return total

    def _rates(self, ts: float) -> list[tuple[str, str, float]]:
        fast = self._sum(ts, self._settings.fast_s)
        slow = self._sum(ts, self._settings.slow_s)
        pairs = [
            ("error_share", ALL, fast["errors"], fast["requests"]),
            ("degraded_share", ALL, fast["degraded"], fast["requests"]),
            ("empty_share", ALL, fast["empty"], fast["answers"]),
            ("short_share", ALL, fast["short"], fast["answers"]),
            ("ctr", ALL, fast["click"], fast["impressions"]),
            ("hide_rate", ALL, fast["hide"], fast["impressions"]),
            ("long_dwell_rate", ALL, fast["long_dwell"], fast["click"]),
            ("conversion_rate", ALL, slow["conversion"], slow["click"]),
        ]
        regions = sorted(key.split("/", 1)[1] for key in fast if key.startswith("impressions/"))
        pairs += [
            ("ctr", f"region={region}", fast[f"click/{region}"], fast[f"impressions/{region}"]) for region in regions
        ]
        return [(name, label, part / whole) for name, label, part, whole in pairs if whole]

    def _latencies(self, ts: float) -> list[tuple[str, str, float]]:
        ms = [x for m in self._within(ts, self._settings.fast_s) for x in m.latency_ms]
        if not ms:
            return []
        p50, p99 = np.quantile(np.array(ms), (0.5, 0.99))
        return [("latency_p50_ms", ALL, float(p50)), ("latency_p99_ms", ALL, float(p99))]

    def _ages(self, ts: float) -> list[tuple[str, str, float]]:
        ages: dict[str, list[float]] = defaultdict(list)
        sessions: list[float] = []
        for minute in self._within(ts, self._settings.fast_s):
            sessions += minute.session_age_s
            for view, values in minute.ages.items():
                ages[view] += values
        rows = [("feature_age_s", view, float(np.median(ages[view]))) for view in sorted(ages)]
        return rows + ([("session_age_s", ALL, float(np.median(sessions)))] if sessions else [])

    def _spread(self) -> list[tuple[str, str, float]]:
        shown, rows = self._shown, list[tuple[str, str, float]]()
        if shown.by_item and self._n_items:
            rows.append(("coverage", ALL, len(shown.by_item) / self._n_items))
        if shown.known:
            rows.append(("exposure_share", "creator_group=B", shown.of_b / shown.known))
        return rows

    def _counts(self, minute: _Minute) -> Tick:
        c = minute.counts
        alerts = self._alerts
        counts: dict[str, tuple[float, float]] = {
            "errors": (c["errors"], c["requests"]),
            "degraded": (c["degraded"], c["requests"]),
            "empty": (c["empty"], c["answers"]),
            "short": (c["short"], c["answers"]),
            "ctr": (c["click"], c["impressions"]),
            "conversion": (c["conversion"], c["click"]),
            "age:user_session": _older(minute.session_age_s, alerts.session_age_s),
        }
        for view, limit in alerts.age_s.items():
            counts[f"age:{view}"] = _older(minute.ages.get(view, []), limit)
        return Tick(minute.ts, counts, tuple(minute.latency_ms))


def _older(ages: list[float], limit: float) -> tuple[float, float]:
    return float(sum(age > limit for age in ages)), float(len(ages))
