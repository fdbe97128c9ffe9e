"""How many calls a process should have in flight at once, found from how long they take: two well-known algorithms.

`Gradient` is Gradient2 and `Vegas` is the Vegas limit of Netflix' concurrency-limits (github.com/Netflix/concurrency-limits;
Brakmo and Peterson, "TCP Vegas: end to end congestion avoidance on a global internet", IEEE JSAC 1995). Both compare the
time that calls take now with the time they take when nothing waits, and infer what must be standing in line: Little's law
without knowing any capacity. A state and a sample give the next state; nothing here has a clock.

Where they differ from the original, because a sandbox has a handful of calls in flight and not hundreds:

- both begin at the least of their bounds, Gradient grows fast through its first windows, and the shortest of these is
  what it begins its long run with. One is put on when there is an overload already, and what calls take then must not
  pass for what they take when nothing waits;
- Gradient lets the square root of the limit stand in line, as its predecessor did, in place of four;
- Vegas looks for a new base only while the limit is not what holds calls back. In the middle of an overload it would
  take the line for the work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

Mode = Literal["gradient", "vegas"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One window. took_s: mean time of the calls that ended in it, above 0. inflight: most calls at once. dropped: some
    were given up by who had made them."""

    took_s: float
    inflight: int
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of the limit: 1 <= least <= most."""

    least: int
    most: int

    def within(self, limit: float) -> float:
        return min(float(self.most), max(float(self.least), limit))


@dataclass(frozen=True, slots=True)
class Gradient:
    """limit: calls. base_s: what calls have taken over the long run, 0 before the first window. n: windows, as far as its
    beginning."""

    limit: float
    base_s: float = 0.0
    n: int = 0

    def next(self, sample: Sample, bounds: Bounds) -> Gradient:
        now_s, n = sample.took_s, min(self.n + 1, _WARM_UP + 1)
        if warming := n <= _WARM_UP:
            base_s = min(self.base_s or now_s, now_s)
        else:
            base_s = self.base_s + (now_s - self.base_s) * 2 / (_LONG + 1)
        following = base_s * _FORGET if base_s > 2 * now_s else base_s  # a long overload is over
        if sample.inflight < self.limit / 2:
            return Gradient(bounds.within(self.limit), following, n)  # not what holds calls back
        gradient = max(_STEEPEST, min(1.0, _TOLERANCE * base_s / now_s))
        wanted = self.limit * gradient + math.sqrt(self.limit)
        smoothing = 1.0 if warming else _SMOOTHING
        return Gradient(bounds.within(self.limit + (wanted - self.limit) * smoothing), following, n)


@dataclass(frozen=True, slots=True)
class Vegas:
    """limit: calls. base_s: the least that a window's calls have taken, 0 before the first. n: windows since that was
    looked for anew."""

    limit: float
    base_s: float = 0.0
    n: int = 0

    def next(self, sample: Sample, bounds: Bounds) -> Vegas:
        held = replace(self, limit=bounds.within(self.limit), n=self.n + 1)
        idle = sample.inflight * 2 < self.limit
        if not self.base_s or sample.took_s < self.base_s or (idle and held.n >= _PROBE):
            return replace(held, base_s=sample.took_s, n=0)
        queue = math.ceil(self.limit * (1 - self.base_s / sample.took_s))
        step = max(1.0, math.log10(self.limit))
        if sample.dropped or (queue > 6 * step and not idle):
            return replace(held, limit=bounds.within(self.limit - step))
        if idle:
            return held
        if queue <= step:
            return replace(held, limit=bounds.within(self.limit + 6 * step))
        return replace(held, limit=bounds.within(self.limit + step)) if queue < 3 * step else held


State = Gradient | Vegas

_LONG = 600  # windows that the long run is made of
_WARM_UP = 10  # windows at its beginning
_FORGET = 0.95  # of the base, each window that takes less than half of it
_TOLERANCE = 1.5  # as much longer than in the long run may calls take
_STEEPEST = 0.5  # an outlier halves the limit, at most
_SMOOTHING = 0.2
_PROBE = 120  # windows after which Vegas looks for its base anew


def begun(mode: Mode, bounds: Bounds) -> State:
    return Gradient(float(bounds.least)) if mode == "gradient" else Vegas(float(bounds.least))
