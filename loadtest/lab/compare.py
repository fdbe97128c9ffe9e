"""Two loads held against each other: ratios with intervals, and a verdict only where the data allow one. Pure.

Requests of one second are alike: they met the same queue. So seconds are drawn again, in blocks of several, not single
requests. Source: Kuensch, "The jackknife and the bootstrap for general stationary observations", 1989.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.lab.ledger import Requests
from sandbox.base.streams import uniforms

Floats = NDArray[np.float64]
RESAMPLES = 500
BLOCK_S = 2.0
LEAST_BLOCKS = 6  # of each side
LEAST_BEYOND = 10  # requests beyond a percentile, for it to be told from the slowest few
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
METRICS = {  # name -> answered requests that it takes on each side
    **{f"p{p:g}_ms": math.ceil(LEAST_BEYOND / (1 - p / 100)) for p in PERCENTILES},
    "mean_ms": 20,
    "ok_per_s": 0,
    "error_share": 0,
}
BETTER_LESS = METRICS.keys() - {"ok_per_s"}


def compare(
    a: Sequence[Requests], b: Sequence[Requests], seconds: Sequence[tuple[float, float]], seed: int = 1
) -> dict[str, Any]:
    """{metric: {a, b, ratio, low, high, verdict}}. a, b: the loads of each side, in turns; seconds: of each pair. ratio:
    b over a, with its 95 % interval; None where a is nothing. verdict: a, b (the better one), none (no difference is
    shown) or too few."""
    blocks_a = [block for load, (s, _) in zip(a, seconds, strict=True) for block in _blocks(load, s)]
    blocks_b = [block for load, (_, s) in zip(b, seconds, strict=True) for block in _blocks(load, s)]
    of_a, of_b = figures(blocks_a), figures(blocks_b)
    again_a, again_b = (
        np.array([figures([blocks[i] for i in rows]) for rows in _drawn(len(blocks), seed, f"load/compare/{side}")])
        for side, blocks in (("a", blocks_a), ("b", blocks_b))
    )
    short = min(len(blocks_a), len(blocks_b)) < LEAST_BLOCKS
    answered = min(sum(len(block[0]) for block in blocks) for blocks in (blocks_a, blocks_b))
    return {
        name: _held(name, float(of_a[m]), float(of_b[m]), again_a[:, m], again_b[:, m], short or answered < least)
        for m, (name, least) in enumerate(METRICS.items())
    }


Block = tuple[Floats, int, float]  # latencies of answered requests, ms; requests that failed; seconds


def _blocks(load: Requests, seconds: float) -> list[Block]:
    """A load in pieces of about BLOCK_S, by intended start."""
    count = max(1, int(seconds // BLOCK_S))
    edges = np.linspace(0, seconds, count + 1)
    found = []
    for low, high in itertools.pairwise(edges.tolist()):
        mine = load.between(low, high)
        found.append((mine.latency_ms[mine.ok], int((~mine.ok).sum()), high - low))
    return found


def figures(blocks: Sequence[Block]) -> Floats:
    """float64 [METRICS] of some blocks together; NaN where nothing was answered."""
    latencies = np.concatenate([block[0] for block in blocks])
    failed, seconds, ok = sum(b[1] for b in blocks), sum(b[2] for b in blocks), len(latencies)
    times = [*np.percentile(latencies, PERCENTILES), latencies.mean()] if ok else [math.nan] * (len(PERCENTILES) + 1)
    return np.array([*times, ok / seconds, failed / max(1, failed + ok)])


def _held(name: str, a: float, b: float, again_a: Floats, again_b: Floats, few: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"a": _plain(a), "b": _plain(b), "ratio": _ratio(a, b), "low": None, "high": None}
    if few:
        return told | {"verdict": "too few"}
    ratios = [r for r in map(_ratio, again_a.tolist(), again_b.tolist()) if r is not None]
    if told["ratio"] is not None and len(ratios) > 0.9 * RESAMPLES:
        told["low"], told["high"] = (float(v) for v in np.quantile(ratios, [0.025, 0.975]))
    low, high = np.nanquantile(again_b - again_a, [0.025, 0.975])
    if low <= 0 <= high:
        return told | {"verdict": "none"}
    return told | {"verdict": "b" if (high < 0) == (name in BETTER_LESS) else "a"}


def _drawn(n: int, seed: int, purpose: str) -> NDArray[np.int64]:
    """int64 [RESAMPLES, n]: n numbers below n, with repetition."""
    luck = uniforms(seed, purpose, np.arange(RESAMPLES)[:, None], np.arange(n))
    return np.minimum((luck * n).astype(np.int64), n - 1)


def _ratio(a: float, b: float) -> float | None:
    return b / a if a > 0 and math.isfinite(b / a) else None


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
