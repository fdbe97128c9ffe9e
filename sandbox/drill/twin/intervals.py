"""How sure a difference of two runs is: intervals, and what pairing the runs saves. Pure.

Within a seed users are resampled (Poisson bootstrap, one draw for both runs, so that the pairing is kept);
between seeds differences vary too, with arrivals and with how queues happen to meet. A few seeds tell the
second badly, so their variance is shrunk to the first, which counts like PRIOR_DF further seeds.
Sources: Chamandy et al., "Estimating uncertainty for massive data streams", 2012 (Poisson bootstrap);
Smyth, "Linear models and empirical Bayes methods", SAGMB 2004 (moderated variance, t with the sum of
both degrees of freedom).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.base.streams import uniforms
from sandbox.drill.scenario.harms import ALL
from sandbox.drill.twin.harm import Counts, harm

REPLICATES = 200
PRIOR_DF = 4.0
LEVEL = 0.95
_POISSON = np.cumsum([math.exp(-1.0) / math.factorial(k) for k in range(12)])


@dataclass(frozen=True)
class Estimate:
    """A harm: mean over seeds, and the bounds of its 95 % interval. se: standard error."""

    estimate: float
    low: float
    high: float
    se: float

    @property
    def clear(self) -> bool:
        """Positive, and not by chance."""
        return self.low > 0.0

    @property
    def z(self) -> float:
        """The estimate in standard errors; 0 where there is no harm to be sure of."""
        if self.estimate == 0.0 or not math.isfinite(self.estimate):
            return 0.0
        return self.estimate / self.se if self.se > 0 else math.copysign(math.inf, self.estimate)


@dataclass(frozen=True)
class Runs:
    """One run's values: `whole` with every user once, `replicates` float64 [REPLICATES], by metric."""

    whole: dict[str, float]
    replicates: dict[str, np.ndarray]


@dataclass(frozen=True)
class Difference:
    """One seed's harm of one metric. run, other: the values. paired: variance of their difference by the
    bootstrap; unpaired: what it would be for two runs that share no users."""

    harm: float
    run: float
    other: float
    paired: float
    unpaired: float


def draws(seed: int, users: np.ndarray) -> np.ndarray:
    """float64 [REPLICATES, users]: how often each user counts, Poisson with mean 1, by user alone."""
    u = uniforms(seed, "harm-bootstrap", np.arange(REPLICATES)[:, None], users[None, :])
    return np.searchsorted(_POISSON, u).astype(np.float64)


def valued(counts: Counts, weights: np.ndarray) -> Runs:
    """weights: of `draws`, over counts.users."""
    whole = {name: float(value[0]) for name, value in counts.values().items()}
    return Runs(whole, counts.values(weights))


def differences(run: Runs, other: Runs) -> dict[str, Difference]:
    """By metric of ALL: how much worse `run` is, one seed's pair."""
    return {
        name: Difference(
            float(harm(name, np.array(run.whole[name]), np.array(other.whole[name]))),
            run.whole[name],
            other.whole[name],
            _variance(run.replicates[name] - other.replicates[name]),
            _variance(run.replicates[name]) + _variance(other.replicates[name]),
        )
        for name in ALL
    }


def estimate(seeds: Sequence[Difference]) -> Estimate:
    """The mean over seeds. NaN throughout where some seed's value is none."""
    values = np.array([d.harm for d in seeds])
    mean = float(values.mean())
    within = float(np.mean([d.paired for d in seeds]))
    se = math.sqrt(_moderated(values, within) / len(values))
    from scipy.special import stdtrit  # not for who only checks a scenario

    reach = float(stdtrit(PRIOR_DF + len(values) - 1, 0.5 + LEVEL / 2)) * se
    return Estimate(mean, mean - reach, mean + reach, se)


def variance_ratio(seeds: Sequence[Difference]) -> float:
    """Variance of the paired difference over that of an unpaired one, 0 to about 1: what common random
    numbers leave of it. Both are taken as `estimate` takes its own, users within and seeds between.
    1 where neither varies: there was nothing to save."""
    runs, others = np.array([d.run for d in seeds]), np.array([d.other for d in seeds])
    harms = np.array([d.harm for d in seeds])
    paired = _moderated(harms, float(np.mean([d.paired for d in seeds])))
    within = float(np.mean([d.unpaired for d in seeds]))
    unpaired = _pooled(_squares(runs) + _squares(others), within, len(runs))
    return paired / unpaired if unpaired > 0 else 1.0


def _moderated(values: np.ndarray, within: float) -> float:
    return _pooled(_squares(values), within, len(values))


def _pooled(squares: float, within: float, n: int) -> float:
    return (PRIOR_DF * within + squares) / (PRIOR_DF + n - 1)


def _squares(values: np.ndarray) -> float:
    return float(((values - values.mean()) ** 2).sum())


def _variance(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.var(ddof=1)) if len(known) > 1 else 0.0
