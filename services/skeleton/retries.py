"""Whether, and when, a call that failed is tried again: one core for both backends.

The budget is that of gRPC's retry throttling (proposal A6): every call puts its share into a purse that begins
full, a retry takes a whole one out. While calls do well it is full, and a burst of failures is retried; when
most fail, no more is added to the load than the share.
"""

from __future__ import annotations

from sandbox.base.config import Edge

PURSE = 10.0  # retries that may follow at once


class Retries:
    """Of one caller and callee."""

    def __init__(self) -> None:
        self._purse = PURSE

    def called(self, edge: Edge) -> None:
        """A call begins."""
        if edge.retry_budget is not None:
            self._purse = min(PURSE, self._purse + edge.retry_budget)

    def follows(self, edge: Edge, code: str, attempt: int, now: float, until: float) -> bool:
        """Whether another attempt follows the one that ended so, which is then paid for. code: of its error.
        until: when the call as a whole is late; seconds, as now."""
        again = code == "WIRE-005" or (code == "WIRE-004" and edge.timeout_ms is not None)
        if not again or attempt >= edge.attempts or now >= until:
            return False
        if edge.retry_budget is None:
            return True
        if self._purse < 1:
            return False
        self._purse -= 1
        return True


def ends_of(edge: Edge, now: float, until: float) -> float:
    """When an attempt that begins now is late."""
    return until if edge.timeout_ms is None else min(until, now + edge.timeout_ms / 1000)


def backoff_s(edge: Edge, attempt: int) -> float:
    """Seconds from the end of that attempt to the next."""
    return edge.backoff_ms / 1000 * 2.0 ** (attempt - 1) if edge.backoff_ms else 0.0
