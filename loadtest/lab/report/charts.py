"""Charts of a report as what a template draws: lines and points between two axes. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, WIDTH - 28, 44, HEIGHT - 44
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """From low to high, drawn from start to end. ticks: (value, its name). logs: in powers of ten."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[tuple[float, str], ...]
    logs: bool = False

    def at(self, value: float) -> float:
        """Where a value stands, to a tenth; what is beyond an end stands on it."""
        low, high = (math.log10(v) for v in (self.low, self.high)) if self.logs else (self.low, self.high)
        here = math.log10(max(value, self.low)) if self.logs else value
        share = min(1.0, max(0.0, (here - low) / (high - low)))
        return round(self.start + (self.end - self.start) * share, 1)


@dataclass(frozen=True)
class Line:
    """One line of a chart. kind: a class of the style. dots: drawn as points."""

    name: str
    kind: str
    points: Points
    dots: bool = False


@dataclass(frozen=True)
class Chart:
    """lines: name, kind, its places as a polyline has them, and these as pairs. level: a value to be drawn across, with
    its name."""

    title: str
    x: Axis
    y: Axis
    x_name: str
    lines: tuple[tuple[str, str, str, tuple[tuple[float, float], ...], bool], ...]
    level: tuple[float, str] | None = None
    width: int = WIDTH
    height: int = HEIGHT


def linear(values: Iterable[float], start: float, end: float, *, zero: bool = True, about: int = 5) -> Axis:
    """An axis between round numbers. zero: holds 0."""
    found = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min([0.0, *found] if zero else found), max(found)
    high = high if high - low > 1e-9 * max(1.0, abs(high)) else low + 1.0
    rough = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(s for s in _STEPS if s * unit >= rough * (1 - 1e-9)) * unit
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(
        first * step, last * step, start, end, tuple((n * step, f"{n * step:g}") for n in range(first, last + 1))
    )


def logarithmic(values: Iterable[float], start: float, end: float) -> Axis:
    """An axis from a power of ten to another."""
    found = [v for v in values if math.isfinite(v) and v > 0] or [1.0]
    first, last = math.floor(math.log10(min(found)) + 1e-9), math.ceil(math.log10(max(found)) - 1e-9)
    last = max(last, first + 1)
    ticks = tuple((10.0**n, f"{10.0**n:g}") for n in range(first, last + 1))
    return Axis(10.0**first, 10.0**last, start, end, ticks, logs=True)


def of_percentiles(start: float, end: float) -> Axis:
    """An axis of 1 / (1 - share): each nine has as much room as the one before."""
    names = ((1.0, "0 %"), (2.0, "50 %"), (10.0, "90 %"), (100.0, "99 %"), (1e3, "99.9 %"), (1e4, "99.99 %"))
    return Axis(1.0, 1e4, start, end, names, logs=True)


def chart(
    title: str, lines: Sequence[Line], x_name: str, *, x: str = "linear", y: str = "linear",
    level: tuple[float, str] | None = None,
) -> Chart:  # fmt: skip
    """x: linear or percentiles. y: linear or log. level: a value to draw across. Points that are none are left out."""
    kept = [Line(i.name, i.kind, [p for p in i.points if all(map(math.isfinite, p))], i.dots) for i in lines]
    xs = [p[0] for line in kept for p in line.points]
    ys = [p[1] for line in kept for p in line.points] + ([level[0]] if level else [])
    across = of_percentiles(_LEFT, _RIGHT) if x == "percentiles" else linear(xs, _LEFT, _RIGHT, about=8)
    up = logarithmic(ys, _BOTTOM, _TOP) if y == "log" else linear(ys, _BOTTOM, _TOP)
    drawn = []
    for line in kept:
        places = tuple((across.at(a), up.at(b)) for a, b in line.points)
        drawn.append((line.name, line.kind, " ".join(f"{a},{b}" for a, b in places), places, line.dots))
    return Chart(title, across, up, x_name, tuple(drawn), level)
