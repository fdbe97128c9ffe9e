"""Names of what is lost or gained: the metrics of harm, and their units."""

from __future__ import annotations

GOODS = ("clicks", "conversions", "revenue", "satisfied_sessions")
BADS = ("users_lost", "policy_breaches", "p99_ms", "exposure_gap")
METRICS = (*GOODS, *BADS)
SLOW = "slow_requests"  # slower than a limit that is handed in: latency that adds up over requests
SEGMENT_EXPOSURE = "segment_exposure"  # of the slice of the catalogue that the run kept an eye on
ALL = (*METRICS, SLOW, SEGMENT_EXPOSURE)
UNITS = {
    "clicks": "clicks", "conversions": "conversions", "revenue": "money",
    "satisfied_sessions": "visits that end satisfied", "users_lost": "users expected not to return",
    "policy_breaches": "items shown against policy", "p99_ms": "ms",
    "exposure_gap": "points of all impressions", SLOW: "requests slower than 99 % of a healthy day's",
    SEGMENT_EXPOSURE: "points of all impressions",
}  # fmt: skip
