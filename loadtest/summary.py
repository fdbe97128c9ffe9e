"""What a load run came to: latencies as sent and as intended, errors, and what users did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from loadtest.sessions import Reaction


class Summary:
    """Figures of one load process, gathered request by request. counts: of what its users did and saw."""

    def __init__(self) -> None:
        self._rt_ms: list[float] = []
        self._wait_ms: list[float] = []
        self._failed = 0
        self.counts: Counter[str] = Counter()

    def add(self, wait_ms: float, rt_ms: float, ok: bool, n_items: int, reactions: list[Reaction]) -> None:
        self._rt_ms.append(rt_ms)
        self._wait_ms.append(max(0.0, wait_ms))
        self._failed += not ok
        self.counts["shown"] += n_items
        self.counts.update(reaction.kind for reaction in reactions)

    def document(self) -> dict[str, Any]:
        return document(np.array(self._rt_ms), np.array(self._wait_ms), self._failed, self.counts)


def document(rt_ms: np.ndarray, wait_ms: np.ndarray, failed: int, counts: Mapping[str, int]) -> dict[str, Any]:
    """rt_ms, wait_ms: float64 [n], from the actual send, and until it. latency_ms: from the actual send. corrected_ms:
    from the intended one, so that a generator that fell behind cannot hide it (coordinated omission)."""
    n, shown, clicks = len(rt_ms), counts.get("shown", 0), counts.get("click", 0)
    return {
        "requests": n,
        "failed": failed,
        "error_share": failed / n if n else None,
        "latency_ms": _quantiles(rt_ms),
        "corrected_ms": _quantiles(rt_ms + wait_ms),
        "wait_ms_p99": float(np.quantile(wait_ms, 0.99)) if n else None,
        "impressions": shown,
        "clicks": clicks,
        "ctr": clicks / shown if shown else None,
        "hides": counts.get("hide", 0),
        "conversions_to_come": counts.get("conversion", 0),
    }


def _quantiles(values: np.ndarray) -> dict[str, float] | None:
    if not len(values):
        return None
    return {f"p{q}": float(np.quantile(values, q / 100)) for q in (50, 90, 95, 99)}
