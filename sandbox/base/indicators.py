"""The service-level indicators that there are: names of `metrics`, and what alerts make of them."""

from __future__ import annotations

# What the rows of `metrics` are called, and what they hold. Windows: see sandbox.telemetry.settings.IndicatorSettings.
INDICATORS = {
    "request_rate": "requests per wall second in the last minute",
    "error_share": "share of requests answered with an error, last 5 world minutes",
    "degraded_share": "share of requests answered by a fallback, last 5 world minutes",
    "empty_share": "share of answers without an item, last 5 world minutes",
    "short_share": "share of answers with fewer items than asked for, last 5 world minutes",
    "latency_p50_ms": "median latency at the gateway, wall milliseconds, last 5 world minutes",
    "latency_p99_ms": "99th percentile of it, wall milliseconds, last 5 world minutes",
    "ctr": "clicks per impression, last 5 world minutes; also by region",
    "hide_rate": "hides per impression, last 5 world minutes",
    "long_dwell_rate": "dwells of 30 s or more per click, last 5 world minutes",
    "conversion_rate": "conversions per click, last 60 world minutes",
    "feature_age_s": "median age of the rows served, world seconds, last 5 world minutes, by view",
    "session_age_s": "median age of the session row from a visit's second request on, world seconds",
    "coverage": "share of the catalogue shown in the last 30 world minutes",
    "exposure_share": "share of impressions that creators of a group got, last 30 world minutes",
}

_COUNTED = {
    "error_share": "errors", "degraded_share": "degraded", "empty_share": "empty", "short_share": "short",
    "ctr": "ctr", "conversion_rate": "conversion", "session_age_s": "age:user_session",
}  # fmt: skip
LATENCIES = ("latency_p50_ms", "latency_p99_ms")


def judged(name: str, label: str) -> str | None:
    """The count by which alerts judge a row of `metrics`; None for one that they do not. Latencies they judge one
    by one."""
    if name == "feature_age_s":
        return f"age:{label}"
    return _COUNTED.get(name) if label == "all" else None
