"""A fitted scalability law as one document, and in words. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from loadtest.lab.profile import FIGURES, interval
from loadtest.lab.usl import Fit


def document(fitted: Fit) -> dict[str, Any]:
    """{alpha, beta, gamma, peak_n, peak_x, limit, intervals, no_peak, peak_in_range, ...}; what there is not is null:
    a peak that never comes, a limit where nothing contends, an end of an interval that is open."""
    law = fitted.law
    peak_n, peak_x = (None, None) if fitted.no_peak else (law.peak_n, law.peak_x)
    return {
        "alpha": law.alpha,
        "beta": law.beta,
        "gamma": law.gamma,
        "peak_n": peak_n,
        "peak_x": peak_x,
        "limit": _finite(law.limit),
        "opt_n": _finite(law.opt_n),
        "intervals": {name: _ends(interval(fitted, name)) for name in FIGURES},
        "no_peak": fitted.no_peak,
        "peak_in_range": fitted.peak_in_range,
        "standard_errors": dict(zip(("alpha", "beta", "gamma"), map(_finite, fitted.errors), strict=True)),
        "sigma": _finite(fitted.sigma),
        "degrees_of_freedom": fitted.freedom,
        "points": [
            {"n": n, "x": x, "fitted": f, "efficiency": e}
            for n, x, f, e in np.stack(
                [fitted.n, fitted.x, law.at(fitted.n), law.efficiency(fitted.n, fitted.x)], axis=1
            ).tolist()
        ],
        "said": said(fitted),
    }


def said(fitted: Fit) -> str:
    """Where the peak is, in one sentence."""
    law, most = fitted.law, float(fitted.n.max())
    if fitted.no_peak:
        limit = f"and approaches {law.limit:.4g}" if math.isfinite(law.limit) else "and nothing limits it"
        return f"no peak in range: throughput only rises up to n = {most:g}, {limit}"
    if not fitted.peak_in_range:
        return (
            f"no peak in range: the curve would have it at n = {law.peak_n:.4g}, beyond the largest measured, {most:g}"
        )
    return f"the peak is {law.peak_x:.4g} at n = {law.peak_n:.4g}"


def _ends(ends: tuple[float, float] | None) -> list[float | None] | None:
    return None if ends is None else [_finite(ends[0]), _finite(ends[1])]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
