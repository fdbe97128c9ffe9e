"""How far the harm of an incident stands out of healthy days, each with its own users and luck. Pure.

A harm is that beside the incident's own healthy day; its z is that in standard deviations between days.
What hits a slice of the catalogue may move no total, and is harm to those who made what is no longer
shown: then their share of what is shown is looked at too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from sandbox.drill import taxonomy
from sandbox.drill.harm import METRICS, harm, totals
from sandbox.virtual.ledger import Ledger

EXPOSURE = "segment_exposure"  # points of all impressions
_COUNTS = ("clicks", "conversions", "satisfied_sessions", "users_lost", "policy_breaches")


def of_ledgers(
    incident: Ledger, healthy: Sequence[Ledger], start_ts: float, end_ts: float
) -> dict[str, tuple[float, float]]:
    """By metric: harm and z. healthy: the incident's own day first."""
    was = totals(incident, start_ts, end_ts)
    days = [totals(day, start_ts, end_ts) for day in healthy]
    found = {}
    for metric in METRICS:
        values = [day[metric] for day in days]
        more = float(harm(metric, np.array(was[metric]), np.array(values[0])))
        if math.isfinite(more):
            found[metric] = of_values(more, values, counts=metric in _COUNTS)
    return found


def of_values(
    more: float, healthy: Sequence[float], *, counts: bool = False
) -> tuple[float, float]:
    """A harm and its z. counts: a handful of days may agree by chance, so that noise is no less than a
    count's own."""
    noise = statistics.stdev(healthy)
    if counts:
        noise = max(noise, math.sqrt(max(1.0, statistics.fmean(healthy))))
    return more, more / noise if noise > 0 else math.copysign(math.inf, more) if more else 0.0


def exposure_sql(segment: Mapping[str, str | list[str]]) -> str | None:
    """The segment's share of all impressions since $since, in points; None where it is no slice of the
    catalogue. The words are those of a scenario, which the taxonomy knows."""
    if not segment or any(taxonomy.SEGMENT_COLUMNS[column] != "items" for column in segment):
        return None
    each = [
        f"t.{column} IN ({', '.join(_quoted(v) for v in ([values] if isinstance(values, str) else values))})"
        for column, values in sorted(segment.items())
    ]
    return (
        f"SELECT 100.0 * avg(({' AND '.join(each)})::INT)"
        " FROM impressions i JOIN items t USING (item_id) WHERE i.ts >= $since"
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
