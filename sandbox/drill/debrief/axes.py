"""Axes of a picture: round numbers on them, and where a value stands. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_CLOCK_STEPS = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0)


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, drawn from `start` to `end`, in units of the picture. ticks: values to be named."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Where the value stands, to a tenth."""
        return round(self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low), 1)


def of_values(low: float, high: float, start: float, end: float, about: int = 4) -> Axis:
    """An axis that holds `low` and `high` between round numbers, about so many steps apart; a step long where they
    are as good as equal."""
    high = high if high - low > 1e-9 * max(1.0, abs(low), abs(high)) else low + 1.0
    rough = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(s for s in _STEPS if s * unit >= rough * (1 - 1e-9)) * unit
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(n * step for n in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], start, end, ticks)


def of_minutes(low: float, high: float, start: float, end: float, began_minute: float = 0.0, about: int = 8) -> Axis:
    """An axis of world minutes, named at round ones. began_minute: of the day, at minute 0, so that what is round is
    so by the clock."""
    high = high if high > low else low + 1.0
    step = next((s for s in _CLOCK_STEPS if s * about >= high - low), _CLOCK_STEPS[-1])
    first = math.ceil((low + began_minute) / step)
    last = math.floor((high + began_minute) / step)
    most = range(first, min(last, first + 4 * about) + 1)
    return Axis(low, high, start, end, tuple(n * step - began_minute for n in most))
