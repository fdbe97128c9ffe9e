"""Harm per world minute: as it went, had nothing been done, and with the best response. Pure.

Harm is beside a day without the fault, which is therefore the line at zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.drill.scenario.harms import METRICS

_MEANS = ("p99_ms", "exposure_gap")  # what is no sum over minutes is averaged over the minutes of a bin
WENT, NOTHING, BEST = "as it went", "had nothing been done", "with the best response"
_ROWS = {
    NOTHING: "with_nothing_done",
    BEST: "with_best_response",
    WENT: "per_minute",
}  # as they are drawn over each other


@dataclass(frozen=True)
class Curves:
    """The curves of one metric. minutes: int64 [n], world minutes since the drill began. lines: name -> float64 [n],
    harm, NaN where nobody asked. marks: (minute, name), what to point at. size: minutes in a point."""

    metric: str
    minutes: np.ndarray
    lines: Mapping[str, np.ndarray]
    marks: tuple[tuple[float, str], ...] = ()
    size: int = 1

    def binned(self, n_bins: int) -> Curves:
        """At most n_bins points of equally many minutes: sums, or means of what is no sum."""
        size = max(1, math.ceil(len(self.minutes) / n_bins))
        starts = np.arange(0, len(self.minutes), size)
        how = np.nanmean if self.metric in _MEANS else np.nansum

        def each(values: np.ndarray) -> np.ndarray:
            parts = [values[i : i + size] for i in starts]
            return np.array([float(how(p)) if np.isfinite(p).any() else 0.0 for p in parts])

        lines = {name: each(values) for name, values in self.lines.items()}
        return Curves(self.metric, self.minutes[starts], lines, self.marks, size)

    @property
    def last(self) -> int:
        """The minute at which the last point ends."""
        return int(self.minutes[-1]) + self.size if len(self.minutes) else 0


def curves(document: Mapping[str, Any], metric: str) -> Curves:
    """Of the document of `sandbox twin`, or of what a grade keeps of it; one of before has no best response.
    metric: one of METRICS."""
    marks = [(document["onset_s"], "onset"), (document["filed_s"], "report")]
    return Curves(
        metric,
        np.array([row["minute"] for row in document["per_minute"]], np.int64),
        {name: _column(document[rows], metric) for name, rows in _ROWS.items() if rows in document},
        tuple((s / 60.0, name) for s, name in marks if s is not None),
    )


def tells_most(document: Mapping[str, Any]) -> str:
    """The metric whose harm, had nothing been done, is greatest beside its uncertainty; one that adds up
    over minutes, where such a harm is clear."""

    def bounds(metric: str) -> tuple[float, float, float]:
        e = document["unmitigated"][metric]
        return tuple(math.nan if e[name] is None else e[name] for name in ("estimate", "low", "high"))  # type: ignore[return-value]

    def sureness(metric: str) -> float:
        estimate, low, high = bounds(metric)
        width = high - low
        if not math.isfinite(width) or estimate <= 0:
            return 0.0
        return float(estimate / width) if width > 0 else math.inf

    sums = [m for m in METRICS if m not in _MEANS and bounds(m)[1] > 0]
    return max(sums or METRICS, key=sureness)


def _column(rows: Sequence[Mapping[str, Any]], metric: str) -> np.ndarray:
    return np.array([math.nan if r[metric] is None else r[metric] for r in rows], np.float64)
