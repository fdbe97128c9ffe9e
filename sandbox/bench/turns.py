"""Sides that are measured in turns: whose turn it is, what a turn cost, and how sure a ratio of two sides is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from sandbox.base.streams import uniforms

RESAMPLES = 2_000
LEAST_TURNS = 4  # of each side, below which no interval is told


def order(n_sides: int, rounds: int) -> list[int]:
    """Whose turn it is, each side 2 x rounds times: A B B A, or A B C C B A, so that what drifts falls on all alike."""
    there = list(range(n_sides))
    return [side for _ in range(rounds) for side in (*there, *reversed(there))]


@dataclass(frozen=True)
class Turn:
    """CPU seconds by name in a time with n calls, of wall_s, and in one without, of idle_wall_s."""

    n: int
    busy_s: Mapping[str, float]
    wall_s: float
    idle_s: Mapping[str, float]
    idle_wall_s: float


def idle_shares(turns: Sequence[Turn]) -> dict[str, float]:
    """CPU seconds per wall second by name without calls: the median of all turns. One alone is too short to tell, and
    of a mean one turn in which something was loaded or collected would take too much from all."""
    quiet = [turn for turn in turns if turn.idle_wall_s]
    return {
        name: float(np.median([turn.idle_s[name] / turn.idle_wall_s for turn in quiet]))
        for name in (quiet[0].idle_s if quiet else ())
    }


def costs_ms(turns: Sequence[Turn], apart: Sequence[str] = ()) -> list[dict[str, float]]:
    """CPU milliseconds per call, by name, of each turn, less what is used without calls. apart: names left out.

    A turn may come to less than nothing for a process that has hardly any part in a call: cut off, the mean would lean.
    """
    idle = idle_shares(turns)
    return [
        {
            name: (busy_s - idle.get(name, 0.0) * turn.wall_s) / turn.n * 1000
            for name, busy_s in turn.busy_s.items()
            if name not in apart
        }
        for turn in turns
    ]


@dataclass(frozen=True)
class Interval:
    """low, high: of 95 %. None where there are too few turns to tell."""

    estimate: float
    low: float | None
    high: float | None


def ratio(above: Sequence[float], below: Sequence[float], seed: int = 1) -> Interval:
    """sum(above) / sum(below) of turns in pairs, with its interval by drawing pairs again.

    Percentiles of few draws are too narrow; they are widened as in Hesterberg, "What teachers should know about the
    bootstrap", The American Statistician 69, 2015, section 5.3 (expanded percentiles).
    """
    assert len(above) == len(below), "turns come in pairs"
    a, b = np.asarray(above, float), np.asarray(below, float)
    n = len(a)
    if not n or b.sum() <= 0:
        return Interval(float("nan"), None, None)
    estimate = float(a.sum() / b.sum())
    if n < LEAST_TURNS:
        return Interval(estimate, None, None)
    luck = uniforms(seed, "bench/turns", np.arange(RESAMPLES)[:, None], np.arange(n))
    rows = np.minimum((luck * n).astype(np.int64), n - 1)
    drawn = a[rows].sum(axis=1) / b[rows].sum(axis=1)
    tail = float(ndtr(np.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.025)))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high))
