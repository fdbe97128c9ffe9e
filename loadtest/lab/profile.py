"""Profile intervals of a fitted scalability law. Pure.

The values of a figure that, all else fitted anew, leave residuals which chance explains. A curve so bent has no
symmetric intervals: half a standard error to either side would reach below a contention of 0, where there is nothing.
Source: Bates and Watts, "Nonlinear Regression Analysis and Its Applications", 1988, ch. 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq, least_squares
from scipy.stats import t as student

from loadtest.lab.usl import Fit, Floats, Law

LEVEL = 0.95
FIGURES = ("alpha", "beta", "gamma", "peak_n", "peak_x", "limit")


def interval(fitted: Fit, name: str, level: float = LEVEL) -> tuple[float, float] | None:
    """Low and high end for one of FIGURES; inf: no upper end. None: no measurement is left to judge by, or there is no
    such figure, as the peak of a curve that only rises."""
    if fitted.freedom < 1 or (name in ("peak_n", "peak_x") and fitted.no_peak):
        return None
    return _Profile(fitted, name, level).ends()


class _Profile:
    """The profile of one figure of a fit: residuals as a function of its value, all else free."""

    def __init__(self, fitted: Fit, name: str, level: float) -> None:
        self._fit, self._name = fitted, name
        self._scale = float(fitted.x.max())
        self._y = fitted.x / self._scale
        left = fitted.law.at(fitted.n) / self._scale - self._y
        self._least = float(left @ left)
        reach = float(student.ppf(0.5 + level / 2, fitted.freedom)) ** 2 / fitted.freedom
        # Measurements without any scatter leave an interval of rounding.
        self._allowed = self._least * (1 + reach) + 1e-20 * len(fitted.n)

    def ends(self) -> tuple[float, float]:
        law = self._fit.law
        estimate = float(getattr(law, self._name))
        low_bound, high_bound = {"alpha": (0.0, 1.0), "beta": (0.0, 1.0), "peak_n": (1.0, math.inf)}.get(
            self._name, (0.0, math.inf)
        )
        return self._end(estimate, low_bound, -1), self._end(estimate, high_bound, +1)

    def _end(self, estimate: float, bound: float, side: int) -> float:
        """Where the residuals become too many on one side, the bound where they never do."""
        if not math.isfinite(estimate):  # a limit that there is not: it only has a lower end
            return math.inf if side > 0 else self._from_above()
        if self._name == "limit" and side > 0 and self._without_contention():
            return math.inf
        inside, step = estimate, max(abs(estimate), 1e-9 if self._name in ("alpha", "beta") else 1e-3) * 0.05
        for _ in range(60):
            outside = inside + side * step
            if (outside - bound) * side >= 0:
                outside = bound if math.isfinite(bound) else outside
                if outside == inside or self._excess(outside) <= 0:
                    return bound
                break
            if self._excess(outside) > 0:
                break
            if side > 0 and outside > 1e6 * max(1.0, abs(estimate)):
                return math.inf
            inside, step = outside, step * 1.7
        else:
            return bound
        # Beside its own estimate a search may stop a rounding short of the least residuals: then the end is there.
        if self._excess(inside) >= 0:
            return inside
        return float(brentq(self._excess, inside, outside, rtol=1e-6))

    def _without_contention(self) -> bool:
        """Whether no contention at all would explain the measurements too: then nothing limits."""
        return _Profile(self._fit, "alpha", LEVEL)._residuals(0.0) <= self._allowed

    def _from_above(self) -> float:
        """The lower end, where the estimate is infinite."""
        inside = 1e6 * self._scale
        outside = inside
        while outside > 1e-6 * self._scale and self._excess(outside) <= 0:
            inside, outside = outside, outside / 2
        if outside == inside or self._excess(outside) <= 0 or self._excess(inside) >= 0:
            return outside
        return float(brentq(self._excess, outside, inside, rtol=1e-6))

    def _excess(self, value: float) -> float:
        return self._residuals(value) - self._allowed

    def _residuals(self, value: float) -> float:
        """Least sum of squares with the figure held at `value`."""
        n, y = self._fit.n, self._y
        make, free = self._held(value)

        def residuals(p: Floats) -> Floats:
            return make(p).at(n) - y

        high = np.array([1.0 if name in ("alpha", "beta") else math.inf for name in self._free])
        start = np.clip(free, 1e-12, np.minimum(high - 1e-9, 1e12))
        return 2 * float(least_squares(residuals, start, bounds=(np.zeros(2), high), x_scale="jac").cost)

    @property
    def _free(self) -> tuple[str, ...]:
        return {"alpha": ("beta", "gamma"), "gamma": ("alpha", "beta"), "peak_x": ("alpha", "peak_n")}.get(
            self._name, ("alpha", "gamma") if self._name != "limit" else ("alpha", "beta")
        )

    def _held(self, value: float) -> tuple[Callable[[Floats], Law], list[float]]:
        """What makes a law of the free coefficients, and where these are in the fit; rates in units of the largest."""
        law, s = self._fit.law, self._scale
        peak_n = min(law.peak_n, 1e9)
        if self._name == "alpha":
            return lambda p: Law(value, p[0], p[1]), [law.beta, law.gamma / s]
        if self._name == "beta":
            return lambda p: Law(p[0], value, p[1]), [law.alpha, law.gamma / s]
        if self._name == "gamma":
            return lambda p: Law(p[0], p[1], value / s), [law.alpha, law.beta]
        if self._name == "limit":
            return lambda p: Law(p[0], p[1], value / s * p[0]), [law.alpha, law.beta]
        if self._name == "peak_n":
            return lambda p: Law(p[0], (1 - p[0]) / value**2, p[1]), [law.alpha, law.gamma / s]

        def peaked(p: Floats) -> Law:
            top = max(float(p[1]), 1.0)
            shape = Law(float(p[0]), (1 - float(p[0])) / top**2, 1.0)
            return Law(shape.alpha, shape.beta, value / s / max(float(shape.at(np.array([top]))[0]), 1e-12))

        return peaked, [law.alpha, peak_n]
