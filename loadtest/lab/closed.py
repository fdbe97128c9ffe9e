"""What a load that waits for answers would have seen of the same service. Pure.

A closed loop of a few callers sends nothing while they all wait: the requests that would have met a frozen service are
not made, and its percentiles do not hold them. Source: G. Tene, "How NOT to Measure Latency", 2013 (coordinated
omission).
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def callers(started_s: Floats, done_s: Floats) -> int:
    """How many callers keep so many requests up while all goes well: requests in flight by Little's law, of the median
    latency, which a freeze does not move."""
    if len(started_s) < 2:
        return 1
    length_s = max(float(started_s.max() - started_s.min()), 1e-9)
    return max(1, math.ceil(len(started_s) / length_s * float(np.median(done_s - started_s))))


def asked(started_s: Floats, done_s: Floats, n_callers: int) -> NDArray[np.bool_]:
    """bool [n]: the requests that n_callers, who each wait for an answer before they ask again, would have made. Both
    float64 [n], in the order of started_s."""
    busy_until = [-math.inf] * n_callers
    mine = np.zeros(len(started_s), bool)
    for i, (start, done) in enumerate(zip(started_s.tolist(), done_s.tolist(), strict=True)):
        if busy_until[0] <= start:
            heapq.heapreplace(busy_until, done)
            mine[i] = True
    return mine
