"""How great the harm is, from what a lake can tell: before the onset beside after it, with intervals.

There is no twin to ask, so the day's own healthy hours stand for what would have been. Errors are taken
between visits: answers of one visit hang together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.drill.responders.observed import Rows
from sandbox.drill.scenario.harms import SEGMENT_EXPOSURE
from sandbox.drill.scenario.queries import sql_time
from sandbox.virtual.people.breaches import UNASKED, against_policy
from sandbox.virtual.people.slices import ITEM_COLUMNS, Segment

SETTLED_S = 180.0  # world seconds after which the clicks of an answer have arrived
LEAST_REQUESTS = 100  # on either side, or there is no estimate
_Z80 = 1.2816  # of the 80 % interval that a report is asked for
WITHIN_AN_HOUR = 0.345  # of all conversions, as far as is known from such logs
LEAST_CONVERSIONS = 10  # or nothing is said of revenue
SLOWER = 1 / 3  # of what it was: less is what a busier hour does to the slowest by itself
_STANDS_OUT = 3.0  # standard errors from which a harm that is no matter of clicks is named

Claims = dict[str, dict[str, float]]
Observe = Callable[[str], Rows]  # SQL in which $began and $now stand for times

# Ratios by visit: sums of x and y on either side, and of squares and products for the error of x / y.
_BY_VISIT = """
WITH r AS (SELECT request_id, session_id, {y} AS y, CASE WHEN ts < {onset} THEN 'before' ELSE 'after' END AS side
           FROM requests WHERE ts >= $began AND ts < $now - INTERVAL {settled:.0f} SECOND),
     c AS (SELECT i.request_id, sum({x}) AS x FROM ic i JOIN items t USING (item_id) GROUP BY 1),
     v AS (SELECT side, session_id, sum(y)::DOUBLE AS y, coalesce(sum(x), 0)::DOUBLE AS x, count(*) AS n
           FROM r LEFT JOIN c USING (request_id) GROUP BY 1, 2)
SELECT side, sum(n) AS n, sum(x) AS x, sum(y) AS y, sum(x * x) AS xx, sum(x * y) AS xy, sum(y * y) AS yy
FROM v GROUP BY 1
"""
# Of either side, the 99th percentile and the readings between which it lies four times in five: those
# whose ranks are _Z80 standard deviations of a binomial count away.
_TAIL = f"""
WITH r AS (SELECT latency_ms, CASE WHEN ts < {{onset}} THEN 'before' ELSE 'after' END AS side
           FROM requests WHERE ts >= $began),
     o AS (SELECT side, latency_ms, row_number() OVER (PARTITION BY side ORDER BY latency_ms) AS k,
                  count(*) OVER (PARTITION BY side) AS n FROM r)
SELECT side, max(n) AS n, median(latency_ms) AS median,
       min(latency_ms) FILTER (k >= 0.99 * n - {_Z80} * sqrt(0.0099 * n)) AS low,
       min(latency_ms) FILTER (k >= 0.99 * n) AS p99,
       coalesce(min(latency_ms) FILTER (k >= 0.99 * n + {_Z80} * sqrt(0.0099 * n)), max(latency_ms)) AS high
FROM o GROUP BY 1
"""
# Answers on either side, and what was shown on it to whom the policy keeps it from.
_BREACHES = f"""
WITH unasked AS ({UNASKED})
SELECT count(*) FILTER (i.ts < {{onset}}) AS before, count(*) FILTER (i.ts >= {{onset}}) AS after,
       (SELECT count(*) FROM requests WHERE ts >= $began AND ts < {{onset}}) AS n_before
FROM impressions i JOIN items t USING (item_id) JOIN users u USING (user_id)
WHERE i.ts >= $began AND ({against_policy("t", "u")} OR i.request_id IN (SELECT request_id FROM unasked))
"""
# Conversions within an hour, of the clicks that have had one.
_CONVERTED = """
WITH o AS (SELECT request_id, item_id, kind, min(event_ts) AS ts FROM outcomes WHERE event_ts >= $began GROUP BY ALL)
SELECT count(*) AS clicks, count(b.ts) AS conversions
FROM o c LEFT JOIN o b ON b.kind = 'conversion' AND b.request_id = c.request_id AND b.item_id = c.item_id
                      AND b.ts < c.ts + INTERVAL 1 HOUR
WHERE c.kind = 'click' AND c.ts < $now - INTERVAL 1 HOUR
"""
_ASKED = "SELECT count(*) AS n FROM requests WHERE ts >= {onset}"


def sized(observe: Observe, onset_ts: float, segments: Sequence[Segment] = ()) -> Claims:
    """`impact` of a report: clicks lost since the onset, and revenue, exposure, breaches of policy and
    latency where they changed clearly. onset_ts: world seconds since the epoch. segments: whom it hit. Empty
    where too little was answered on either side of it."""
    fall = _fall(observe, onset_ts, x="i.clicked", y="1")
    if fall is None:
        return {}
    n = float(observe(_ASKED.format(onset=sql_time(onset_ts))).first["n"])
    claims = {"clicks": _claim(n * fall[0], n * fall[1])}  # missing per answer, times the answers
    claims |= _revenue(observe, onset_ts, n) | _exposure(observe, onset_ts)
    claims |= _slice_exposure(observe, onset_ts, segments)
    claims |= _breaches(observe, onset_ts, n) | _tail(observe, onset_ts)
    return claims


def _revenue(observe: Observe, onset_ts: float, n: float) -> Claims:
    """Where what is shown has become cheaper: prices of clicked items per answer that were missing, times
    the answers since, times the conversions that a click leads to in the end. Most come after the report."""
    if not _stands_out(_fall(observe, onset_ts, x="t.price", y="n_items")):
        return {}
    fall = _fall(observe, onset_ts, x="i.clicked * t.price", y="1")
    seen = observe(_CONVERTED).first
    converted = int(seen["conversions"])
    if fall is None or converted < LEAST_CONVERSIONS:
        return {}
    in_the_end = n * converted / int(seen["clicks"]) / WITHIN_AN_HOUR
    error = math.hypot(fall[1], fall[0] / math.sqrt(converted))
    return {"revenue": _claim(in_the_end * fall[0], in_the_end * error)}


def _exposure(observe: Observe, onset_ts: float) -> Claims:
    """Points of all impressions that creators of group B lost."""
    fall = _fall(observe, onset_ts, x="(t.creator_group = 'B')::INT", y="n_items")
    if fall is None or not _stands_out(fall):
        return {}
    return {"exposure_gap": _claim(100 * fall[0], 100 * fall[1])}


def _slice_exposure(observe: Observe, onset_ts: float, segments: Sequence[Segment]) -> Claims:
    """Points of all impressions that the items of the segments lost, where items are what they name."""
    if not segments or not all(segment and set(segment) <= set(ITEM_COLUMNS) for segment in segments):
        return {}
    hit = " OR ".join(
        "(" + " AND ".join(f"t.{column} IN ({_listed(values)})" for column, values in segment.items()) + ")"
        for segment in segments
    )
    fall = _fall(observe, onset_ts, x=f"({hit})::INT", y="n_items")
    if fall is None or not _stands_out(fall):
        return {}
    return {SEGMENT_EXPOSURE: _claim(100 * fall[0], 100 * fall[1])}


def _listed(values: str | Sequence[str]) -> str:
    """As SQL has it in brackets."""
    each = [values] if isinstance(values, str) else values
    return ", ".join("'" + value.replace("'", "''") + "'" for value in each)


def _breaches(observe: Observe, onset_ts: float, n: float) -> Claims:
    """Items shown against policy, beyond as many as before."""
    row = observe(_BREACHES.format(onset=sql_time(onset_ts))).first
    before, after, n_before = int(row["before"]), int(row["after"]), int(row["n_before"])
    ratio = n / max(1, n_before)
    rise, error = after - ratio * before, math.sqrt(after + ratio * ratio * before)  # Poisson
    if rise <= _STANDS_OUT * max(1.0, ratio * math.sqrt(before)):
        return {}
    return {"policy_breaches": _claim(rise, error)}


def _tail(observe: Observe, onset_ts: float) -> Claims:
    """Milliseconds by which the 99th percentile rose, where it or the median rose clearly.

    Source of the bounds: Zou and Donner, "Construction of confidence limits about effect measures", Statistics
    in Medicine 2008 (both sides' own, combined)."""
    sides = {str(row["side"]): row for row in observe(_TAIL.format(onset=sql_time(onset_ts))).records()}
    if len(sides) < 2 or min(int(row["n"]) for row in sides.values()) < LEAST_REQUESTS:
        return {}
    (low, p99, high), (least, before, most) = (
        (float(row["low"]), float(row["p99"]), float(row["high"])) for row in (sides["after"], sides["before"])
    )
    rise, usual = p99 - before, float(sides["before"]["median"])
    if rise < SLOWER * before and float(sides["after"]["median"]) - usual < SLOWER * usual:
        return {}
    return {
        "p99_ms": {
            "estimate": rise,
            "low": rise - math.hypot(p99 - low, most - before),
            "high": rise + math.hypot(high - p99, before - least),
        }
    }


def _fall(observe: Observe, onset_ts: float, *, x: str, y: str) -> tuple[float, float] | None:
    """By how much x / y fell, and its standard error; None where there is too little to tell."""
    sql = _BY_VISIT.format(x=x, y=y, onset=sql_time(onset_ts), settled=SETTLED_S)
    sides = {str(row["side"]): row for row in observe(sql).records()}
    if len(sides) < 2 or min(int(row["n"]) for row in sides.values()) < LEAST_REQUESTS:
        return None
    before, after = _ratio(sides["before"]), _ratio(sides["after"])
    return before[0] - after[0], math.hypot(before[1], after[1])


def _stands_out(fall: tuple[float, float] | None) -> bool:
    return fall is not None and fall[0] > _STANDS_OUT * fall[1]


def _ratio(row: dict[str, Any]) -> tuple[float, float]:
    """x / y of sums over visits, and its standard error by the delta method."""
    x, y, xx, xy, yy = (float(row[name]) for name in ("x", "y", "xx", "xy", "yy"))
    if y == 0:
        return 0.0, 0.0
    ratio = x / y
    return ratio, math.sqrt(max(0.0, xx - 2 * ratio * xy + ratio * ratio * yy)) / y


def _claim(estimate: float, error: float) -> dict[str, float]:
    return {"estimate": estimate, "low": estimate - _Z80 * error, "high": estimate + _Z80 * error}
