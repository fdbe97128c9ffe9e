"""Differences between arms with their intervals: users are the units, as they were assigned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Users = Mapping[str, np.ndarray]  # name -> float64 [users of one arm], sums over the whole time
_Z = 1.96  # of a 95 % interval
# name -> numerator, denominator (None: a mean over all users of the arm, active or not)
METRICS: dict[str, tuple[str, str | None]] = {
    "ctr": ("clicks", "impressions"),
    "clicks_per_user": ("clicks", None),
    "conversions_per_user": ("conversions", None),
    "revenue_per_user": ("revenue", None),
    "visits_per_user": ("visits", None),
}


def compared(base: Users, other: Users, *, paired: bool) -> dict[str, dict[str, float | None]]:
    """{metric: {base, other, difference, low, high}}: other minus base with its 95 % interval.

    paired: both hold the same users in the same order, who lived once in each arm. A ratio's variance
    is by the delta method, users being the units: requests of one user are not independent. None where
    there are too few users to tell. Source: Deng, Knoblich and Lu, KDD 2018 (delta method in metrics).
    """
    out: dict[str, dict[str, float | None]] = {}
    for name, (above, below) in METRICS.items():
        (a, pull_a), (b, pull_b) = (_estimate(users, above, below) for users in (base, other))
        pulls = [pull_b - pull_a] if paired else [pull_a, pull_b]
        variance = sum(_variance(pull) for pull in pulls)
        half = _Z * float(np.sqrt(variance))
        row = {"base": a, "other": b, "difference": b - a, "low": b - a - half, "high": b - a + half}
        out[name] = {k: v if np.isfinite(v) else None for k, v in row.items()}
    return out


def _estimate(users: Users, above: str, below: str | None) -> tuple[float, np.ndarray]:
    """The ratio of sums, and how much each user pulls at it, float64 [users]."""
    y = users[above]
    x = users[below] if below else np.ones(len(y))
    if not x.sum() > 0:
        return float("nan"), np.full(len(y), np.nan)
    ratio = float(y.sum() / x.sum())
    return ratio, (y - ratio * x) / x.mean()


def _variance(pull: np.ndarray) -> float:
    return float(np.var(pull, ddof=1) / len(pull)) if len(pull) > 1 else float("nan")
