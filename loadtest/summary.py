"""What a load run came to: latencies as sent and as intended, errors, and what users did."""

from __future__ import annotations

from typing import Any

import numpy as np

from loadtest.sessions import Reaction


class Summary:
    """Figures of one load process, gathered request by request."""

    def __init__(self) -> None:
        self._rt_ms: list[float] = []
        self._wait_ms: list[float] = []
        self._failed = self._shown = self._clicks = self._hides = self._conversions = 0

    def add(self, wait_ms: float, rt_ms: float, ok: bool, n_items: int, reactions: list[Reaction]) -> None:
        self._rt_ms.append(rt_ms)
        self._wait_ms.append(max(0.0, wait_ms))
        self._failed += not ok
        self._shown += n_items
        for reaction in reactions:
            self._clicks += reaction.kind == "click"
            self._hides += reaction.kind == "hide"
            self._conversions += reaction.kind == "conversion"

    def document(self) -> dict[str, Any]:
        """latency_ms: from the actual send. corrected_ms: from the intended one, so that a generator
        that fell behind cannot hide it (coordinated omission)."""
        n = len(self._rt_ms)
        sent, intended = np.array(self._rt_ms), np.array(self._rt_ms) + np.array(self._wait_ms)
        return {
            "requests": n,
            "failed": self._failed,
            "error_share": self._failed / n if n else None,
            "latency_ms": _quantiles(sent),
            "corrected_ms": _quantiles(intended),
            "wait_ms_p99": float(np.quantile(self._wait_ms, 0.99)) if n else None,
            "impressions": self._shown,
            "clicks": self._clicks,
            "ctr": self._clicks / self._shown if self._shown else None,
            "hides": self._hides,
            "conversions_to_come": self._conversions,
        }


def _quantiles(values: np.ndarray) -> dict[str, float] | None:
    if not len(values):
        return None
    return {f"p{q}": float(np.quantile(values, q / 100)) for q in (50, 90, 95, 99)}
