"""How far the harm of an incident stands out of healthy days, each with its own users and luck. Pure.

A harm is that beside the incident's own healthy day; its z is that in standard deviations between days. What
hits a slice is counted on the slice: of users their own harm, of the catalogue its share of what is shown.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from sandbox.drill.scenario.harms import METRICS, SEGMENT_EXPOSURE
from sandbox.drill.twin.harm import harm, of_slice, totals
from sandbox.virtual.people.ledger import Ledger

LOOKED_AT = (*METRICS, SEGMENT_EXPOSURE)
_COUNTS = ("clicks", "conversions", "satisfied_sessions", "users_lost", "policy_breaches")


def of_ledgers(
    incident: Ledger, healthy: Sequence[Ledger], start_ts: float, end_ts: float
) -> dict[str, tuple[float, float]]:
    """By metric: harm and z. healthy: the incident's own day first."""
    was, *days = _totals([incident, *healthy], start_ts, end_ts)
    found = {}
    for metric in LOOKED_AT:
        values = [day[metric] for day in days]
        more = float(harm(metric, np.array(was[metric]), np.array(values[0])))
        if math.isfinite(more):
            found[metric] = of_values(more, values, counts=metric in _COUNTS)
    return found


def harms(run: Ledger, healthy: Ledger, start_ts: float, end_ts: float) -> dict[str, float]:
    """By metric: how much worse a run is than a healthy one."""
    was, usual = _totals([run, healthy], start_ts, end_ts)
    return {m: float(harm(m, np.array(was[m]), np.array(usual[m]))) for m in LOOKED_AT}


def of_values(more: float, healthy: Sequence[float], *, counts: bool = False) -> tuple[float, float]:
    """A harm and its z. counts: a handful of days may agree by chance, so that noise is no less than a
    count's own."""
    noise = statistics.stdev(healthy)
    if counts:
        noise = max(noise, math.sqrt(max(1.0, statistics.fmean(healthy))))
    return more, more / noise if noise > 0 else math.copysign(math.inf, more) if more else 0.0


def _totals(ledgers: Sequence[Ledger], start_ts: float, end_ts: float) -> list[dict[str, float]]:
    """On the slice of users that was watched, on all where that is everyone."""
    return [totals(one, start_ts, end_ts) for one in of_slice(ledgers) or ledgers]
