"""How sure a mean of few numbers between 0 and 1 is. Pure.

Cohorts are small, and scores are neither counts (Wilson's interval) nor anything like normal. The mean is bounded as
Learned-Miller and Thomas do ("A new confidence interval for the mean of a bounded random variable", 2019): between two
neighbouring values lies a share of the distribution that is, whatever the distribution, like a spacing of uniform order
statistics. For the upper bound all of each spacing is put at its upper end, the last one at 1; for the lower bound at its
lower end, the first one at 0. Bounds are quantiles of the means that this gives over drawn spacings. For values that are all
0 or 1 it is the interval of Clopper and Pearson. It holds at every n that was tried, and is wide where n is small: at
n = 1 it says nearly nothing, as it should.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

from sandbox.base.streams import stream

LEVEL = 0.95
DRAWS = 4_000
_SEED = 20_260


class Estimate(BaseModel, frozen=True):
    """mean of n, and bounds of LEVEL; all None where n is 0. sessions of one team are not independent: read it as a bound on
    luck in these sessions alone."""

    n: int
    mean: float | None
    low: float | None
    high: float | None


def estimate(values: Sequence[float], purpose: str) -> Estimate:
    """values: 0..1. purpose: names the draws, so that the same cohort has the same bounds whatever is reckoned beside it."""
    n = len(values)
    if n == 0:
        return Estimate(n=0, mean=None, low=None, high=None)
    z = np.sort(np.asarray(values, dtype=float))
    gaps = stream(_SEED, f"results/{purpose}", n).standard_exponential((DRAWS, n + 1))
    gaps /= gaps.sum(axis=1, keepdims=True)
    tail = (1 - LEVEL) / 2
    low = np.quantile(gaps @ np.concatenate([[0.0], z]), tail)
    high = np.quantile(gaps @ np.concatenate([z, [1.0]]), 1 - tail)
    mean = float(z.mean())
    return Estimate(n=n, mean=_told(mean), low=_told(min(float(low), mean)), high=_told(max(float(high), mean)))


def _told(value: float) -> float:
    return round(value, 4)
