"""Harm per world minute as a picture: in blocks for the terminal, as SVG for a file. Pure.

Two curves: as it went, and had nothing been done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from sandbox.drill.scenario.harms import METRICS, UNITS

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MEANS = ("p99_ms", "exposure_gap")  # what is no sum over minutes is averaged over the minutes of a bin
COLOURS = ("#7f8c8d", "#c0392b")


@dataclass(frozen=True)
class Curves:
    """Both curves of one metric. minutes: int64 [n], world minutes since the drill began. as_it_went,
    nothing_done: float64 [n], harm, NaN where nobody asked. marks: (minute, name), what to point at."""

    metric: str
    minutes: np.ndarray
    as_it_went: np.ndarray
    nothing_done: np.ndarray
    marks: tuple[tuple[float, str], ...] = ()

    def binned(self, n_bins: int) -> Curves:
        """At most n_bins points of equally many minutes: sums, or means of what is no sum."""
        size = max(1, math.ceil(len(self.minutes) / n_bins))
        starts = np.arange(0, len(self.minutes), size)
        how = np.nanmean if self.metric in _MEANS else np.nansum

        def each(values: np.ndarray) -> np.ndarray:
            parts = [values[i : i + size] for i in starts]
            return np.array([float(how(p)) if np.isfinite(p).any() else 0.0 for p in parts])

        return Curves(self.metric, self.minutes[starts], each(self.as_it_went), each(self.nothing_done), self.marks)


def curves(document: dict[str, Any], metric: str) -> Curves:
    """Of the document of `sandbox twin`. metric: one of METRICS."""
    marks = [(document["onset_s"], "onset"), (document["filed_s"], "report")]
    return Curves(
        metric,
        np.array([row["minute"] for row in document["per_minute"]], np.int64),
        _column(document["per_minute"], metric),
        _column(document["with_nothing_done"], metric),
        tuple((s / 60.0, name) for s, name in marks if s is not None),
    )


def tells_most(document: dict[str, Any]) -> str:
    """The metric whose harm, had nothing been done, is greatest beside its uncertainty; one that adds up
    over minutes, where such a harm is clear."""

    def sureness(metric: str) -> float:
        e = document["unmitigated"][metric]
        width = e["high"] - e["low"]
        if not math.isfinite(width) or e["estimate"] <= 0:
            return 0.0
        return float(e["estimate"] / width) if width > 0 else math.inf

    sums = [m for m in METRICS if m not in _MEANS and document["unmitigated"][m]["low"] > 0]
    return max(sums or METRICS, key=sureness)


def in_blocks(found: Curves, width: int = 64, height: int = 4) -> str:
    """Both curves under each other, on one scale, with the minutes below. Harm below none is not drawn."""
    binned = found.binned(width)
    top = max(1e-9, float(binned.as_it_went.max()), float(binned.nothing_done.max()))
    size = len(found.minutes) / len(binned.minutes)
    per = f"{math.ceil(size)} world minutes" if size > 1 else "world minute"
    lines = [f"{found.metric} lost or made worse ({UNITS[found.metric]}) per {per}, at most {top:.4g}"]
    for name, values in (("as it went", binned.as_it_went), ("had nothing been done", binned.nothing_done)):
        lines.append(name)
        lines += ["  " + row for row in _bars(values / top, height)]
    first, last = int(binned.minutes[0]), int(found.minutes[-1]) + 1
    gap = max(1, len(binned.minutes) - len(str(first)) - len(str(last)))
    lines.append(f"  {first}{' ' * gap}{last} world minutes in")
    lines += [f"  {name} at {minute:.0f}" for minute, name in found.marks]
    return "\n".join(lines)


def as_svg(found: Curves, width: int = 860, height: int = 320) -> str:
    """A picture of its own: two lines, axes, and the marks."""
    binned = found.binned(100)
    size = math.ceil(len(found.minutes) / 100)
    left, bottom, top = 70.0, height - 50.0, 46.0
    values = np.concatenate([binned.as_it_went, binned.nothing_done, [0.0]])
    low, high = float(values.min()), max(float(values.max()), float(values.min()) + 1e-9)
    first, last = float(binned.minutes[0]), float(found.minutes[-1] + 1)

    def x(minute: float) -> float:
        return left + (width - left - 20) * (minute - first) / max(1.0, last - first)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(left, 18, f"Harm: {found.metric} ({UNITS[found.metric]}) per {size} min"),
    ]
    for value in np.linspace(low, high, 5):
        parts.append(_line(left, y(value), width - 20, y(value), "#eeeeee"))
        parts.append(_text(left - 6, y(value) + 4, f"{value:.3g}", "end"))
    parts.append(_line(left, y(0.0), width - 20, y(0.0), "#444444"))
    for minute in np.linspace(first, last, 6):
        parts.append(_text(x(minute), bottom + 18, f"{minute:.0f}", "middle"))
    parts.append(_text(left, height - 8, "world minutes since the drill began"))
    for minute, name in found.marks:
        if first <= minute <= last:
            parts.append(_line(x(minute), top, x(minute), bottom, "#2980b9", "4 3"))
            parts.append(_text(x(minute) + 4, top + 10, name))
    legend = (("had nothing been done", binned.nothing_done), ("as it went", binned.as_it_went))
    for (name, curve), colour, at in zip(legend, COLOURS, (0, 1), strict=True):
        points = " ".join(f"{x(m):.1f},{y(v):.1f}" for m, v in zip(binned.minutes, curve, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_line(width - 190, 14 + 16 * at, width - 170, 14 + 16 * at, colour))
        parts.append(_text(width - 164, 18 + 16 * at, name))
    return "\n".join([*parts, "</svg>", ""])


def _bars(shares: np.ndarray, height: int) -> list[str]:
    eighths = np.round(np.clip(shares, 0.0, 1.0) * height * 8).astype(int)
    return ["".join(_EIGHTHS[min(8, max(0, int(e) - 8 * row))] for e in eighths) for row in reversed(range(height))]


def _column(rows: Sequence[dict[str, Any]], metric: str) -> np.ndarray:
    return np.array([math.nan if r[metric] is None else r[metric] for r in rows], np.float64)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "none") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-dasharray="{dashes}"/>'
    )


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
