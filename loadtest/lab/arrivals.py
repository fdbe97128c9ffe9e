"""When requests come: arrivals of our own, drawn before anybody answers. Pure.

A load that waits for answers goes easy on whoever is slow. These do not wait: each arrival has its time from the
beginning, and belongs to its number, so that the same plan brings the same arrivals wherever it is asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.lab.plan import Plan
from sandbox.base.streams import stream, uniforms

Floats = NDArray[np.float64]
PERSON, CROWD, BOT = 0, 1, 2  # who an arrival is: anybody; somebody who comes for the one item; a program
_GRID = 4_096  # pieces of a run between which its rate is taken as straight


@dataclass(frozen=True)
class Arrivals:
    """at_s: float64 [m], wall seconds since the load began, ascending, below the plan's seconds. who: int8 [m], PERSON,
    CROWD or BOT."""

    at_s: Floats
    who: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.at_s)

    def part(self, worker: int, of: int) -> Arrivals:
        """Those that one of several workers sends: every of-th. All parts together are the whole."""
        return Arrivals(self.at_s[worker::of], self.who[worker::of])


def arrivals(plan: Plan) -> Arrivals:
    """All arrivals of a plan."""
    if plan.shape == "replay":
        at_s = np.sort(np.asarray(plan.replayed_s, np.float64) / plan.replay_speed)
        at_s = at_s[at_s < plan.seconds]
        return Arrivals(at_s, np.zeros(len(at_s), np.int8))
    people = _inverted(plan, plan.seed, "people", *expected(plan, extra=False))
    if plan.shape not in ("flash-crowd", "bot-swarm"):
        return Arrivals(people, np.zeros(len(people), np.int8))
    more = _inverted(plan, plan.seed, "more", *expected(plan, extra=True))
    at_s = np.concatenate([people, more])
    who = np.repeat(
        np.array([PERSON, CROWD if plan.shape == "flash-crowd" else BOT], np.int8), [len(people), len(more)]
    )
    order = np.argsort(at_s, kind="stable")
    return Arrivals(at_s[order], who[order])


def rate(plan: Plan, at_s: Floats, *, extra: bool) -> Floats:
    """float64 [n], arrivals wanted per second at these seconds. extra: of those that a crowd or a swarm adds, else of
    everybody's usual ones."""
    part = at_s / plan.seconds
    to = plan.rate * plan.factor - plan.rate
    if extra:  # crowds come at a third of the run: at once, then ever fewer; bots as one block
        began, ended = plan.from_share, plan.until_share
        if plan.shape == "flash-crowd":
            fading = np.exp(-3.0 * np.maximum(part - began, 0) / max(ended - began, 1e-9))
            return np.where(part >= began, to * fading, 0.0)
        return np.where((part >= began) & (part < ended), to, 0.0)
    usual = np.full(np.shape(at_s), plan.rate)
    if plan.shape == "ramp":
        return usual + to * part
    if plan.shape == "steps":
        step = np.minimum(np.floor(part * plan.steps), plan.steps - 1)
        return usual + to * step / max(plan.steps - 1, 1)
    if plan.shape == "diurnal":  # one day in the run, its night at the beginning; the mean is the rate
        return usual * (1 - plan.swing * np.cos(2 * math.pi * part))
    if plan.shape == "spike":
        return np.where((part >= plan.from_share) & (part < plan.until_share), usual + to, usual)
    return usual


def expected(plan: Plan, *, extra: bool) -> tuple[Floats, Floats]:
    """(seconds float64 [g], arrivals expected until then float64 [g]): what gaps are held against."""
    grid = np.unique(np.concatenate([np.linspace(0.0, plan.seconds, _GRID + 1), _jumps(plan)]))
    middles = (grid[1:] + grid[:-1]) / 2  # of pieces that no jump is within
    pieces = rate(plan, middles, extra=extra) * np.diff(grid)
    return grid, np.concatenate([[0.0], np.cumsum(pieces)])


def _jumps(plan: Plan) -> Floats:
    """Seconds at which the rate jumps."""
    if plan.shape == "steps":
        return np.arange(1, plan.steps) / plan.steps * plan.seconds
    if plan.shape in ("spike", "flash-crowd", "bot-swarm"):
        return np.array([plan.from_share, plan.until_share]) * plan.seconds
    return np.empty(0)


def _inverted(plan: Plan, seed: int, name: str, grid: Floats, until: Floats) -> Floats:
    """Times at which the expected count passes 1, 2, 3... (constant), or the sums of exponential gaps (all else).
    Source: time-change of a unit Poisson process, Cinlar, "Introduction to Stochastic Processes", 1975, ch. 4.7."""
    total = float(until[-1])
    if plan.shape == "constant":
        marks = np.arange(math.floor(total)) + 0.5
    else:
        marks = unit_arrivals(seed, f"load/{name}", total)
    return np.interp(marks, until, grid)


def unit_arrivals(seed: int, purpose: str, total: float) -> Floats:
    """float64 [m]: a Poisson process of one a unit, up to `total`. Gap number i depends on seed, purpose and i alone."""
    n = math.ceil(total + 6 * math.sqrt(total) + 20)
    while True:
        sums = np.cumsum(-np.log1p(-uniforms(seed, purpose, np.arange(n))))
        if sums[-1] >= total:
            return sums[sums < total]
        n *= 2


def gaps_p(plan: Plan, found: Arrivals) -> float:
    """p of a Kolmogorov-Smirnov test of the usual arrivals' gaps, in expected arrivals, against the exponential
    distribution: small where they are not what the plan wants. NaN for plans without chance, or too few."""
    from scipy.stats import kstest

    mine = found.at_s[found.who == PERSON]
    if plan.shape in ("constant", "replay") or len(mine) < 8:
        return math.nan
    grid, until = expected(plan, extra=False)
    gaps = np.diff(np.interp(mine, grid, until), prepend=0.0)
    return float(kstest(gaps, "expon").pvalue)


def chosen_item(plan: Plan, n_items: int) -> int:
    """The item that a flash crowd comes for."""
    return int(stream(plan.seed, "load/item").integers(n_items)) if plan.item is None else plan.item
