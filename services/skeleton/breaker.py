"""The circuit breaker of one edge: a callee that fails is left alone for a while, instead of waited for.

Closed, calls pass and are counted; open, they fail at once; half-open, a few trial calls find out whether
the callee is back. States as in Nygard, Release It!; counts in a rolling window of buckets, and the usual
settings, as in Netflix' Hystrix; trial calls, and outcomes that come too late to count, as in sony/gobreaker.
Used by services.skeleton.client and by sandbox.virtual.machine.fabric alike.
"""

from __future__ import annotations

from typing import Literal, Protocol

from sandbox.base.config import Breaker

State = Literal["closed", "open", "half-open"]

# What a callee in trouble brings about. A refusal, or any other answer it gives, says that it is there.
FAILURES = frozenset(("WIRE-004", "WIRE-005"))
REFUSED = 0  # instead of a pass
N_BUCKETS = 10  # of the window: what leaves it does so in tenths


class Log(Protocol):
    """Takes a line for operators, as services.skeleton.telemetry.Telemetry.log does."""

    def __call__(self, level: str, msg: str, **fields: object) -> None: ...


class CircuitBreaker:
    """One caller's breaker for one callee over one path. Readings are wall seconds and never go back."""

    __slots__ = (
        "_bucket_s", "_calls", "_calls_in", "_failed", "_failed_in", "_failed_share", "_generation",
        "_least_calls", "_log", "_newest", "_places", "_succeeded", "_until", "settings", "state",
    )  # fmt: skip

    def __init__(self, settings: Breaker, log: Log) -> None:
        """log: is told of every change of state."""
        self.settings, self._log = settings, log
        # As plain numbers: what every call reads.
        self._bucket_s = settings.window_s / N_BUCKETS
        self._least_calls, self._failed_share = settings.least_calls, settings.failed_share
        self._generation = REFUSED  # of the state: a pass is the one that it was given in
        self._until = 0.0  # open: wall seconds from which trial calls may begin
        self._become("closed")

    def fits(self, settings: Breaker) -> bool:
        """False when the edge is configured otherwise by now."""
        if settings is not self.settings:
            if settings != self.settings:
                return False
            self.settings = settings  # read anew, to the same effect: found by identity from now on
        return True

    def admit(self, now: float) -> int:
        """A pass for one call, which `ended` has to get back; REFUSED, which is false, when there is none."""
        if self.state == "closed":
            return self._generation
        if self.state == "open":
            if now < self._until:
                return REFUSED
            self._become("half-open")
            self._log("info", "circuit breaker half-open", trial_calls=self._places)
        if not self._places:
            return REFUSED
        self._places -= 1
        return self._generation

    def ended(self, given: int, now: float, failed: bool | None) -> None:
        """The call that got the pass is over. failed: by one of FAILURES; None where nobody waited to see."""
        if given != self._generation:
            return  # it began before the last change, and says nothing about the state since
        if self.state == "half-open":
            self._trial_ended(now, failed)
        elif failed is not None:
            self._count(now, failed)

    def _trial_ended(self, now: float, failed: bool | None) -> None:
        if failed is None:
            self._places += 1
        elif failed:
            self._open(now, self._succeeded + 1, 1)
        else:
            self._succeeded += 1
            if self._succeeded == self.settings.trial_calls:
                self._become("closed")
                self._log("info", "circuit breaker closed")

    def _count(self, now: float, failed: bool) -> None:
        bucket = int(now / self._bucket_s)
        if bucket != self._newest:
            self._slide(bucket)
        self._calls += 1
        self._calls_in[bucket % N_BUCKETS] += 1
        if not failed:
            return
        self._failed += 1
        self._failed_in[bucket % N_BUCKETS] += 1
        if self._calls >= self._least_calls and self._failed / self._calls >= self._failed_share:
            self._open(now, self._calls, self._failed)

    def _open(self, now: float, calls: int, failed: int) -> None:
        open_s = self.settings.open_s
        self._become("open")
        self._until = now + open_s
        self._log("warn", "circuit breaker opened", calls=calls, failed=failed, open_s=open_s)

    def _become(self, state: State) -> None:
        """Begins a state, and counting anew."""
        self.state: State = state
        self._generation += 1
        self._places, self._succeeded = self.settings.trial_calls, 0  # of trial calls
        self._calls = self._failed = self._newest = 0
        self._calls_in, self._failed_in = [0] * N_BUCKETS, [0] * N_BUCKETS

    def _slide(self, bucket: int) -> None:
        """Empties the buckets that have left the window. bucket: number of the one that begins."""
        for left in range(max(self._newest, bucket - N_BUCKETS) + 1, bucket + 1):
            at = left % N_BUCKETS
            self._calls -= self._calls_in[at]
            self._failed -= self._failed_in[at]
            self._calls_in[at] = self._failed_in[at] = 0
        self._newest = bucket
