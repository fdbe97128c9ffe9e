"""The largest rate that holds an SLO: which to try next, and what trials come to. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.lab.slo import Slo
from sandbox.base.errors import SandboxError
from sandbox.base.streams import uniforms

Floats = NDArray[np.float64]
MOST_TRIALS = 40
RESAMPLES = 400


@dataclass(frozen=True)
class Trial:
    """One load at one rate. value_ms: the SLO's percentile, inf where it has none. n, ok: requests made, answered.
    in_flight: under way on the average. late_ms: of the generator at p99."""

    rate: float
    value_ms: float
    holds: bool
    n: int
    ok: int
    ok_per_s: float
    in_flight: float
    late_ms: float

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"value_ms": self.value_ms if math.isfinite(self.value_ms) else None}


@dataclass(frozen=True)
class Search:
    """The rates of a search. start: tried first. It doubles or halves until the SLO holds on one side and not on the
    other, halves what is between, by ratio, down to `fine`, and then tries both sides `repeats` more times."""

    start: float
    lowest: float
    highest: float
    fine: float = 1.15
    repeats: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= self.start <= self.highest <= 10_000:
            raise SandboxError(
                "CFG-004", where="load knee, rates", seen=f"{self.lowest:g} to {self.highest:g}, from {self.start:g}",
                expected="0 < lowest <= start <= highest <= 10000 per second", fix="correct the range",
            )  # fmt: skip
        if not 0 <= self.repeats <= 10:
            raise SandboxError(
                "CFG-004", where="load knee --repeats", seen=self.repeats, expected="0 to 10", fix="correct it"
            )

    def next(self, trials: Sequence[Trial]) -> float | None:
        """The rate to try after these; None when there is nothing more to learn."""
        if not trials:
            return self.start
        if len(trials) >= MOST_TRIALS or (len(trials) >= 2 and not any(t.ok for t in trials[-2:])):
            return None
        held, failed = _sides(trials)
        if failed is None:
            assert held is not None, "most trials at a rate hold, or they do not"
            return self._again(trials, self.highest) if held >= self.highest else min(self.highest, held * 2)
        if held is None:
            return self._again(trials, self.lowest) if failed <= self.lowest else max(self.lowest, failed / 2)
        if failed / held > self.fine:
            return math.sqrt(held * failed)
        tried = {rate: sum(t.rate == rate for t in trials) for rate in (held, failed)}
        least = min(tried, key=lambda rate: (tried[rate], rate))
        return least if tried[least] <= self.repeats else None

    def _again(self, trials: Sequence[Trial], rate: float) -> float | None:
        """An end of the range: one more look at it, where there are to be repeats."""
        return rate if sum(t.rate == rate for t in trials) <= min(1, self.repeats) else None


def _sides(trials: Sequence[Trial]) -> tuple[float | None, float | None]:
    """(largest rate at which most trials held, smallest above it at which most did not)."""
    rates = sorted({t.rate for t in trials})
    most = {r: sum(t.holds for t in trials if t.rate == r) * 2 >= sum(t.rate == r for t in trials) for r in rates}
    held = max((r for r in rates if most[r]), default=None)
    above = [r for r in rates if not most[r] and (held is None or r > held)]
    return held, min(above, default=None)


def knee(trials: Sequence[Trial], slo: Slo, seed: int = 1) -> dict[str, Any]:
    """{rate, low, high, said}: where the percentile passes the limit, with a 95 % interval from trials drawn again.
    rate None: not even the lowest held. high None: the highest did.

    The percentile is taken to only rise with the rate (isotonic regression; Barlow et al., "Statistical Inference under
    Order Restrictions", 1972). The interval is at least what lies between rates that always held and never did.
    """
    held, failed = _sides(trials)
    tried = [t.rate for t in trials]
    if held is None:
        return {
            "rate": None, "low": 0.0, "high": min(tried, default=None),
            "said": f"{slo.text} holds nowhere in range: not even at {min(tried):g} requests/s" if tried else "nothing was tried",
        }  # fmt: skip
    if failed is None:
        always = _always(trials)
        return {
            "rate": held, "low": always, "high": None,
            "said": f"no knee in range: {slo.text} holds up to the highest rate tried, {held:g} requests/s",
        }  # fmt: skip
    rate = np.array(tried)
    level = np.log([min(t.value_ms, 20 * slo.limit_ms) for t in trials])
    at = crossing(rate, level, math.log(slo.limit_ms))
    luck = uniforms(seed, "load/knee", np.arange(RESAMPLES)[:, None], np.arange(len(trials)))
    again = [
        crossing(rate[rows], level[rows], math.log(slo.limit_ms))
        for rows in np.minimum((luck * len(rate)).astype(int), len(rate) - 1)
    ]
    low, high = np.quantile(again, [0.025, 0.975])
    never = min((r for r in tried if r > held and not any(t.holds for t in trials if t.rate >= r)), default=max(tried))
    low, high = min(float(low), _always(trials), at), max(float(high), never, at)
    return {
        "rate": at, "low": low, "high": high,
        "said": f"{slo.text} holds up to {at:.3g} requests/s (95 % interval {low:.3g} to {high:.3g}, {len(trials)} trials)",
    }  # fmt: skip


def _always(trials: Sequence[Trial]) -> float:
    """The largest rate up to which every trial held, 0 for none."""
    bad = min((t.rate for t in trials if not t.holds), default=math.inf)
    return max((t.rate for t in trials if t.rate < bad), default=0.0)


def crossing(rate: Floats, level: Floats, limit: float) -> float:
    """Where a rising curve through the points passes a limit; an end of the rates where it does not."""
    rates, curve = rising(rate, level)
    if curve[0] > limit:
        return float(rates[0])
    if curve[-1] <= limit:
        return float(rates[-1])
    i = int(np.argmax(curve > limit))
    share = (limit - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(rates[i - 1] + share * (rates[i] - rates[i - 1]))


def rising(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """(different x ascending, the closest values that never fall, by pooling neighbours that do)."""
    xs, inverse = np.unique(x, return_inverse=True)
    means = [[float(y[inverse == i].mean()), float((inverse == i).sum()), 1] for i in range(len(xs))]
    blocks: list[list[float]] = []
    for block in means:
        blocks.append(block)
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value, weight, count = blocks.pop()
            before = blocks[-1]
            total = before[1] + weight
            blocks[-1] = [(before[0] * before[1] + value * weight) / total, total, before[2] + count]
    return xs, np.repeat([b[0] for b in blocks], [int(b[2]) for b in blocks])
