"""What a shadow version's scores are beside the live version's: how alike, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOP = 10


@dataclass(frozen=True)
class Likeness:
    """overlap: share of the live version's `TOP` likeliest clicks that are among the other's, 0..1. rank_corr: of all
    candidates, -1..1, None where either has no order. live, shadow: mean click probability."""

    overlap: float
    rank_corr: float | None
    live: float
    shadow: float


def likeness(live: NDArray[np.float32], shadow: NDArray[np.float32]) -> Likeness:
    """live, shadow: click probabilities [n] of the same candidates, n at least 1."""
    ranks = [np.argsort(np.argsort(-p, kind="stable"), kind="stable") for p in (live, shadow)]
    top = min(TOP, len(live))
    shared = int(((ranks[0] < top) & (ranks[1] < top)).sum())
    ordered = len(live) > 1 and np.ptp(live) > 0 and np.ptp(shadow) > 0
    correlation = float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if ordered else None
    return Likeness(shared / top, correlation, float(live.mean()), float(shadow.mean()))
