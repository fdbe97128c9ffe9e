"""The Universal Scalability Law, fitted to measurements by bounded least squares. Pure.

x(n) = gamma n / (1 + alpha (n - 1) + beta n (n - 1)): gamma is the rate of one, alpha what queues for something shared
(contention), beta what has to agree pairwise (coherency). Source: Gunther, "Guerrilla Capacity Planning", 2007, ch. 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from loadtest.lab.measurements import MOST
from sandbox.base.errors import SandboxError

Floats = NDArray[np.float64]
LEAST = 3  # different n: as many as there are coefficients
_STARTS = ((0.0, 0.0), (0.01, 1e-5), (0.05, 1e-3), (0.3, 1e-6), (0.02, 0.02))  # alpha, beta
_AT_BOUND = 1e-12  # of beta, times the square of the largest n: the curve would bend by less than can be seen


@dataclass(frozen=True)
class Law:
    """One curve. alpha, beta: 0..1. gamma: above 0, in units of x."""

    alpha: float
    beta: float
    gamma: float

    def at(self, n: Floats) -> Floats:
        """float64 [n]: throughput at this concurrency."""
        return self.gamma * n / (1 + self.alpha * (n - 1) + self.beta * n * (n - 1))

    @property
    def peak_n(self) -> float:
        """Concurrency of the greatest throughput, inf where it never falls."""
        return math.sqrt((1 - self.alpha) / self.beta) if self.beta > 0 else math.inf

    @property
    def peak_x(self) -> float:
        """The greatest throughput; the limit, where it is only approached."""
        return float(self.at(np.array([self.peak_n]))[0]) if self.beta > 0 else self.limit

    @property
    def limit(self) -> float:
        """Throughput that contention alone would allow, inf for none."""
        return self.gamma / self.alpha if self.alpha > 0 else math.inf

    @property
    def opt_n(self) -> float:
        """Concurrency from which contention costs more than another one brings, inf for none."""
        return 1 / self.alpha if self.alpha > 0 else math.inf

    def efficiency(self, n: Floats, x: Floats) -> Floats:
        """float64 [n]: what was measured, as a share of what n that do not disturb each other would bring."""
        return x / (self.gamma * n)


@dataclass(frozen=True)
class Fit:
    """law: the best curve. n, x: float64 [m], what it was fitted to. errors: standard errors of alpha, beta, gamma;
    NaN where nothing is left to tell them from, or the coefficient stands on its bound. sigma: of the residuals."""

    law: Law
    n: Floats
    x: Floats
    errors: tuple[float, float, float]
    sigma: float

    @property
    def freedom(self) -> int:
        return len(self.n) - LEAST

    @property
    def no_peak(self) -> bool:
        """Throughput only rises: beta stands on its bound."""
        return self.law.beta * float(self.n.max()) ** 2 < _AT_BOUND

    @property
    def peak_in_range(self) -> bool:
        """Whether the peak lies where somebody measured; else it is told from a curve beyond its points."""
        return not self.no_peak and self.law.peak_n <= float(self.n.max())


def fit(n: Floats, x: Floats) -> Fit:
    """The curve of least squares, alpha and beta in [0, 1]. n, x: float64 [m]. Raises CFG-003 for what is none."""
    n, x = np.asarray(n, np.float64), np.asarray(x, np.float64)
    _require(n, x)
    scale = float(x.max())
    y = x / scale

    def residuals(p: Floats) -> Floats:
        return Law(p[0], p[1], p[2]).at(n) - y

    best = None
    for alpha, beta in _STARTS:
        shape = Law(alpha, beta, 1.0).at(n)
        gamma = float(shape @ y / (shape @ shape))
        found = least_squares(
            residuals, (alpha, beta, max(gamma, 1e-9)), bounds=([0, 0, 0], [1, 1, np.inf]), x_scale="jac",
            xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=2_000,
        )  # fmt: skip
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None, "there is a start"
    alpha, beta, gamma = (float(v) for v in best.x)
    law, beta_moves = _settled(Law(alpha, beta, gamma), n, y)
    law = Law(law.alpha, law.beta, law.gamma * scale)
    left = law.at(n) - x
    freedom = len(n) - LEAST
    sigma = math.sqrt(float(left @ left) / freedom) if freedom > 0 else math.nan
    return Fit(law, n, x, _errors(law, n, sigma, beta_moves), sigma)


def _settled(law: Law, n: Floats, y: Floats) -> tuple[Law, bool]:
    """The law with a beta that the search left beside its bound put on it, the rest fitted anew; and whether beta moves."""
    if law.beta * float(n.max()) ** 2 > 1e-6:
        return law, True

    def residuals(p: Floats) -> Floats:
        return Law(p[0], 0.0, p[1]).at(n) - y

    found = least_squares(
        residuals,
        (law.alpha, law.gamma),
        bounds=([0, 0], [1, np.inf]),
        x_scale="jac",
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    before = law.at(n) - y
    if 2 * found.cost > float(before @ before) * (1 + 1e-6) + 1e-18:
        return law, True
    return Law(float(found.x[0]), 0.0, float(found.x[1])), False


def _errors(law: Law, n: Floats, sigma: float, beta_moves: bool) -> tuple[float, float, float]:
    """Standard errors of a fit by the curve's slopes at its end."""
    below = 1 + law.alpha * (n - 1) + law.beta * n * (n - 1)
    columns = [-law.gamma * n * (n - 1) / below**2, -law.gamma * n * n * (n - 1) / below**2, n / below]
    moving = [law.alpha > 0, beta_moves, True]
    slopes = np.stack([c for c, moves in zip(columns, moving, strict=True) if moves], axis=1)
    try:
        spread = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes))) * sigma
    except np.linalg.LinAlgError:
        spread = np.full(slopes.shape[1], math.nan)
    found = iter(spread.tolist())
    alpha, beta, gamma = (float(next(found)) if moves else math.nan for moves in moving)
    return alpha, beta, gamma


def _require(n: Floats, x: Floats) -> None:
    """Raises CFG-003 unless a law can be fitted to these."""
    problem = None
    if n.ndim != 1 or n.shape != x.shape:
        problem = f"{n.shape} values of n, {x.shape} of x", "as many of both"
    elif len(n) > MOST:
        problem = f"{len(n)} measurements", f"at most {MOST}"
    elif not (np.isfinite(n).all() and np.isfinite(x).all()):
        problem = "a value that is no number", "finite numbers"
    elif (n <= 0).any() or (x < 0).any():
        problem = f"n from {n.min():g}, x from {x.min():g}", "n above 0, x not below 0"
    elif len(np.unique(n)) < LEAST:
        problem = f"{len(np.unique(n))} different n", f"at least {LEAST}: the law has as many coefficients"
    elif x.max() <= 0:
        problem = "no throughput at all", "some x above 0"
    if problem is not None:
        raise SandboxError(
            "CFG-003", where="measurements of n and x", seen=problem[0], expected=problem[1],
            fix="measure throughput x at several n, concurrency or size",
        )  # fmt: skip
