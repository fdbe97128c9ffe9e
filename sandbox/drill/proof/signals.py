"""Which indicator or alert says first that something is wrong. Pure.

An indicator has a healthy range: all that it read on healthy days in the same world hours, widened by
WIDER of that range on each side. It has left it when it is outside for STEADY readings in a row. An
alert counts when it fires on no healthy day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

METRICS_SQL = "SELECT epoch(ts) AS ts, name, label, value FROM metrics ORDER BY ALL"
ALERTS_SQL = "SELECT epoch(ts) AS ts, rule FROM alerts WHERE state = 'firing' ORDER BY ALL"
WIDER = 0.5  # of the range: extremes of a handful of days are not those of all days
STEADY = 2  # readings in a row, a world minute each: one could be luck

Reading = tuple[float, str, str, float]  # world seconds since the epoch, indicator, label, value
Fired = tuple[float, str]  # world seconds since the epoch, rule


@dataclass(frozen=True)
class Signal:
    """name: `ctr`, `ctr region=EU` or `alert ctr-low`. after_s: world seconds after the onset."""

    name: str
    after_s: float


@dataclass(frozen=True)
class Shown:
    """What one run showed: its rows of `metrics`, in order of time, and the alerts that fired."""

    metrics: Sequence[Reading]
    alerts: Sequence[Fired]


def first_signal(incident: Shown, healthy: Sequence[Shown], onset_ts: float) -> Signal | None:
    """The first to leave its healthy range after the onset, None when none does; ties go to the indicator
    that comes first in the alphabet."""
    ranges = _ranges((day.metrics for day in healthy), onset_ts)
    found: list[tuple[float, str]] = []
    outside: dict[tuple[str, str], list[float]] = defaultdict(list)
    for ts, name, label, value in incident.metrics:
        if ts < onset_ts or (name, label) not in ranges:
            continue
        low, high = ranges[name, label]
        run = outside[name, label]
        if low <= value <= high:
            run.clear()
            continue
        run.append(ts)
        if len(run) == STEADY:
            found.append((run[0], name if label == "all" else f"{name} {label}"))
    usual = {rule for day in healthy for _, rule in day.alerts}
    found += [(ts, f"alert {rule}") for ts, rule in incident.alerts if ts >= onset_ts and rule not in usual]
    if not found:
        return None
    ts, name = min(found, key=lambda one: (one[0], one[1].startswith("alert "), one[1]))
    return Signal(name, ts - onset_ts)


def _ranges(days: Iterable[Sequence[Reading]], onset_ts: float) -> dict[tuple[str, str], tuple[float, float]]:
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for readings in days:
        for ts, name, label, value in readings:
            if ts >= onset_ts:
                seen[name, label].append(value)
    return {key: _widened(min(values), max(values)) for key, values in seen.items()}


def _widened(low: float, high: float) -> tuple[float, float]:
    reach = WIDER * (high - low)
    return low - reach, high + reach
