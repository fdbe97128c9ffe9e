"""A canary's metrics from the lake: sums over the users of its two arms, since it began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sandbox.base.arms import arm_of
from sandbox.base.config import Canary
from sandbox.pipeline.verdict import Metric, Sample
from sandbox.telemetry.lake import Lake

# Users with a bad request, not bad requests: one user's requests fail together, and the exact test wants units that
# have nothing to do with each other.
METRICS = (
    Metric("errors", "count", margin=0.02),
    Metric("fallbacks", "count", margin=0.02),
    Metric("latency_ms", "ratio", margin=0.25, critical=False),  # shares a machine with everything else
    Metric("clicks", "ratio", margin=0.15, worse="down"),
)
_REQUESTS = """
SELECT user_id, count(*), sum(latency_ms), max((grpc_status <> 'OK')::INT),
       max((fallback LIKE '%ranking%' OR (grpc_status = 'OK' AND model_version IS NULL))::INT)
FROM requests WHERE epoch(ts) >= ? AND user_id >= 0 GROUP BY 1
"""
_CLICKS = "SELECT user_id, count(*), sum(clicked) FROM ic WHERE epoch(ts) >= ? AND user_id >= 0 GROUP BY 1"

Sums = Mapping[str, Sample]


def sums(lake: Lake, canary: Canary, since_ts: float) -> tuple[Sums, Sums, tuple[int, int]]:
    """Samples by metric of baseline and canary, and how many users each had. Users belong to the arm that the hash
    gives them, whichever version answered: a canary that fails is not its users' baseline."""
    requests = [_by_arm(lake.query(_REQUESTS, [since_ts]), canary, arm) for arm in ("baseline", "canary")]
    clicks = [_by_arm(lake.query(_CLICKS, [since_ts]), canary, arm) for arm in ("baseline", "canary")]
    baseline, of_canary = (
        {
            "errors": _sample(r[:, 3], np.ones(len(r))),
            "fallbacks": _sample(r[:, 4], np.ones(len(r))),
            "latency_ms": _sample(r[:, 2], r[:, 1]),
            "clicks": _sample(c[:, 2], c[:, 1]),
        }
        for r, c in zip(requests, clicks, strict=True)
    )
    return baseline, of_canary, (len(requests[0]), len(requests[1]))


def _by_arm(rows: Iterable[Sequence[float]], canary: Canary, arm: str) -> np.ndarray:
    """float64 [users, columns]."""
    mine = [row for row in rows if arm_of(int(row[0]), canary) == arm]
    return np.array(mine, float).reshape(len(mine), -1) if mine else np.zeros((0, 5))


def _sample(y: np.ndarray, x: np.ndarray) -> Sample:
    return Sample(len(y), float(y.sum()), float(x.sum()), float(y @ y), float(x @ x), float(x @ y))
