"""Whether something grows: a slope with its interval, from samples that hang together. Pure.

Neighbouring samples of memory are no independent witnesses. So they are averaged in a few blocks, long beside what makes
them hang together, and the straight line goes through the blocks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Floats = NDArray[np.float64]
BLOCKS = 5
LEAST = 20  # samples
WARM_SHARE = 0.25  # of the time, which does not count: caches fill


def slope(at_s: Floats, values: Floats) -> dict[str, float | None]:
    """{first, last, per_h, low, high}: means of the first and the last block, and the slope an hour with its 95 % interval
    by Student's t; None where there are too few samples. at_s: float64 [n], ascending, seconds."""
    keep = at_s >= at_s[0] + WARM_SHARE * (at_s[-1] - at_s[0]) if len(at_s) else np.zeros(0, bool)
    at_s, values = at_s[keep], values[keep]
    if len(at_s) < LEAST:
        return dict.fromkeys(("first", "last", "per_h", "low", "high"))
    blocks = [
        (x.mean(), y.mean())
        for x, y in zip(np.array_split(at_s / 3_600, BLOCKS), np.array_split(values, BLOCKS), strict=True)
    ]
    x, y = np.array(blocks).T
    away = x - x.mean()
    per_h = float(away @ y / (away @ away))
    left = y - y.mean() - per_h * away
    error = math.sqrt(float(left @ left) / (BLOCKS - 2) / float(away @ away))
    half = float(student.ppf(0.975, BLOCKS - 2)) * error
    return {"first": float(y[0]), "last": float(y[-1]), "per_h": per_h, "low": per_h - half, "high": per_h + half}


def verdict(found: dict[str, float | None], least_per_h: float) -> str:
    """grows: the interval is above nothing, by more than least_per_h at its middle. flat: it is below least_per_h. unsure: the
    data do not tell. too few."""
    low, high, per_h = found["low"], found["high"], found["per_h"]
    if low is None or high is None or per_h is None:
        return "too few"
    if low > 0 and per_h > least_per_h:
        return "grows"
    return "flat" if high < least_per_h else "unsure"


def told(at_s: Floats, values: Floats, least_per_h: float) -> dict[str, Any]:
    found = slope(at_s, values)
    return {**found, "verdict": verdict(found, least_per_h)}
