"""The gate of one process: it lets calls in up to a limit that it finds by itself, and turns the others away at once.

One for both backends: times are wall seconds, handed in. What it measures is a call's whole time in the process, its wait
for a handler with it: that wait is the queue that grows beyond the knee.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox.base.config import Concurrency
from sandbox.base.errors import SandboxError
from sandbox.base.rows import Row, row_of
from services.skeleton.breaker import Log
from services.skeleton.limits import Bounds, Sample, begun

LEAST_CALLS = 10  # that must have ended, or a window says nothing and goes on


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was turned away. reason: limit, so many were in flight; reserve, what was left is kept for more urgent
    ones."""

    reason: Literal["limit", "reserve"]
    limit: int
    inflight: int

    def error(self, where: str) -> SandboxError:
        return SandboxError(
            "WIRE-010",
            where=where,
            seen=f"{self.inflight} calls in flight ({self.reason})",
            expected=f"fewer than its limit of {self.limit}, or than the part of it that this kind of call may use",
            fix="ask later and not at once; see the tables limits and shed for since when",
        )


@dataclass(slots=True)
class _Window:
    """until: it lasts at least so long. most: calls in flight at once. calls, took_s: that ended in it, and their time in
    all. dropped: one of them was given up."""

    until: float
    most: int = 0
    calls: int = 0
    took_s: float = 0.0
    dropped: bool = False


class Gate:
    """inflight: calls that were let in and have not ended. Readings never go back."""

    def __init__(self, settings: Concurrency, now: float, log: Log) -> None:
        """log: is told when it begins to turn calls away, and when it no longer does."""
        self.settings, self.inflight, self._log = settings, 0, log
        self._passed = self._shed = self._reserved = 0  # since the last row
        self._busy = False  # calls were turned away in the last second
        self._bounds = Bounds(settings.least, settings.most)
        self._state = begun(settings.mode, self._bounds)
        self._window = _Window(now + settings.window_s)
        self._took_ms: float | None = None  # mean of the last window

    def follow(self, settings: Concurrency, now: float) -> None:
        """It has these settings now. With another algorithm it begins anew; calls in flight stay counted."""
        if settings.mode != self.settings.mode:
            self._state = begun(settings.mode, Bounds(settings.least, settings.most))
            self._window, self._took_ms = _Window(now + settings.window_s, self.inflight), None
        self.settings, self._bounds = settings, Bounds(settings.least, settings.most)

    @property
    def limit(self) -> int:
        return int(self._bounds.within(self._state.limit))

    def enter(self, share: float | None) -> Refusal | None:
        """None: it is let in, and counted where share, of the limit that its kind may use, is a number."""
        if share is None:
            return None
        limit = self.limit
        if self.inflight < max(1, int(limit * share)):
            self.inflight += 1
            self._passed += 1
            self._window.most = max(self._window.most, self.inflight)
            return None
        reserved = self.inflight < limit
        self._shed += 1
        self._reserved += reserved
        return Refusal("reserve" if reserved else "limit", limit, self.inflight)

    def left(self, began: float, now: float, dropped: bool) -> None:
        """A call that was counted has ended. dropped: nobody waited for its end."""
        self.inflight -= 1
        window = self._window
        window.calls += 1
        window.took_s += now - began
        window.dropped = window.dropped or dropped
        if now >= window.until and window.calls >= LEAST_CALLS:
            took_s = max(window.took_s / window.calls, 1e-6)
            self._state = self._state.next(Sample(took_s, window.most, window.dropped), self._bounds)
            self._took_ms = took_s * 1000
            self._window = _Window(now + self.settings.window_s, self.inflight)

    def sampled(self, ts: float, service: str, instance: str) -> Row:
        """A row of limits; counts begin anew. ts: world seconds."""
        busy = self._shed > 0
        if busy != self._busy:
            said = "calls are turned away" if busy else "no calls are turned away any more"
            self._log("warn" if busy else "info", said, limit=self.limit, inflight=self.inflight, n=self._shed)
        self._busy = busy
        row = row_of.limits(
            ts=ts, service=service, instance=instance, mode=self.settings.mode, limit_now=self.limit, inflight=self.inflight,
            passed=self._passed, shed_limit=self._shed - self._reserved, shed_reserve=self._reserved,
            took_ms=self._took_ms, base_ms=self._state.base_s * 1000 if self._state.base_s else None,
        )  # fmt: skip
        self._passed = self._shed = self._reserved = 0
        return row


def shed_row(
    refusal: Refusal, *, ts: float, trace_id: str, service: str, instance: str, op: str, caller: str, attempt: int
) -> Row:
    """The row of a call that was turned away. ts: world seconds."""
    return row_of.shed(
        ts=ts, trace_id=trace_id, service=service, instance=instance, op=op, caller=caller, attempt=attempt,
        reason=refusal.reason, limit_now=refusal.limit, inflight=refusal.inflight,
    )  # fmt: skip
