"""Figures of a benchmark: pure arithmetic on samples, and the document that is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.bench.turns import Interval


@dataclass
class Report:
    """figures: measured, unit last in the name. ratios: of a figure to a floor of the same run. conditions: machine,
    versions and settings. intervals: (low, high) of the ratios that have one, 95 %. details: further parts of the
    document, by name."""

    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def hold(self, name: str, interval: Interval) -> None:
        """A ratio with what its turns say of it."""
        self.ratios[name] = interval.estimate
        if interval.low is not None and interval.high is not None:
            self.intervals[name] = (interval.low, interval.high)

    def document(self) -> dict[str, Any]:
        def rounded(values: dict[str, float]) -> dict[str, float]:
            return {name: significant(value) for name, value in values.items()}

        told: dict[str, Any] = {"figures": rounded(self.figures), "ratios": rounded(self.ratios)}
        if self.intervals:
            told["intervals"] = {
                name: rounded({"low": low, "high": high}) for name, (low, high) in self.intervals.items()
            }
        return told | self.details | {"conditions": self.conditions}


def significant(value: float, digits: int = 4) -> float:
    """The value with so many significant digits: more would pretend to a precision that is not there."""
    return float(f"{value:.{digits}g}")


def quantile(samples: Sequence[float], q: float) -> float:
    """q: 0..1, linear between neighbours. NaN for no samples."""
    return float(np.quantile(samples, q)) if len(samples) else float("nan")


def median(samples: Sequence[float]) -> float:
    return quantile(samples, 0.5)


def paired_ratio(above: Sequence[float], below: Sequence[float]) -> tuple[float, float]:
    """Median of above[i] / below[i], and half the width of its 95 % interval.

    For blocks measured in turns, so that what disturbs one disturbs the other. The interval is the
    order-statistic one for a median: no distribution is assumed.
    """
    assert len(above) == len(below), "blocks come in pairs"
    ratios = np.sort(np.asarray(above, float) / np.asarray(below, float))
    n = len(ratios)
    if not n:
        return float("nan"), float("nan")
    reach = 0.98 * np.sqrt(n)  # 1.96 x sqrt(n) / 2 ranks to either side
    low, high = int(max(0, np.floor(n / 2 - reach))), int(min(n - 1, np.ceil(n / 2 + reach)))
    return median(ratios.tolist()), float(ratios[high] - ratios[low]) / 2


def per_call_ms(busy_s: float, idle_share: float, wall_s: float, n: int) -> float:
    """CPU milliseconds per call: what a process used while n calls were made, less what it uses anyway.

    busy_s: CPU seconds in the window. idle_share: CPU seconds per wall second without calls.
    """
    assert n > 0, "no calls, no cost per call"
    return max(0.0, busy_s - idle_share * wall_s) / n * 1000
