"""What a shadow version's scores are beside the live version's: how alike, in a few numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.base.errors import SandboxError

TOP = 10
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Likeness:
    """overlap: share of the live version's `TOP` likeliest clicks that are among the other's, 0..1. rank_corr: of all
    candidates, -1..1, None where either has no order. live, shadow: mean click probability."""

    overlap: float
    rank_corr: float | None
    live: float
    shadow: float


def compared(live: Floats, shadow: Callable[[], Floats]) -> tuple[str, Likeness | None]:
    """Status and likeness of one request. live: what was answered, float32 [n, 3]; shadow: scores the same rows. An
    error of the shadow is a status and nothing else; a number that is none, of either, leaves nothing to compare."""
    try:
        said = shadow()
    except (SandboxError, RuntimeError, ValueError) as error:
        return (error.kind.code if isinstance(error, SandboxError) else "WIRE-006"), None
    if live.shape != said.shape or not np.isfinite(said).all() or not np.isfinite(live).all():
        return "MODEL-003", None
    return "OK", likeness(live[:, 0], said[:, 0])


def likeness(live: Floats, shadow: Floats) -> Likeness:
    """live, shadow: click probabilities [n] of the same candidates, n at least 1."""
    ranks = [np.argsort(np.argsort(-p, kind="stable"), kind="stable") for p in (live, shadow)]
    top = min(TOP, len(live))
    shared = int(((ranks[0] < top) & (ranks[1] < top)).sum())
    ordered = len(live) > 1 and np.ptp(live) > 0 and np.ptp(shadow) > 0
    correlation = float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if ordered else None
    return Likeness(shared / top, correlation, float(live.mean()), float(shadow.mean()))
