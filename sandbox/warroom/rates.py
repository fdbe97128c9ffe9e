"""How often: a bucket of tokens for each who asks. The clock is handed in."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from sandbox.base.errors import SandboxError
from sandbox.warroom.settings import Rate

_MOST_KEPT = 10_000  # buckets; a full one is as good as none


class Rates:
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[Hashable, tuple[float, float]] = {}

    def spend(self, key: Hashable, rate: Rate, what: str) -> None:
        """Raises ROOM-005 for one too many. what: is counted, in words."""
        now = self._clock()
        left, at = self._left.get(key, (float(rate.burst), now))
        left = min(float(rate.burst), left + (now - at) * rate.per_s)
        if left < 1.0:
            self._left[key] = (left, now)
            raise SandboxError(
                "ROOM-005", where=what, seen=f"more than {rate.burst} at once", fix="wait a second and try again",
                expected=f"{rate.per_s:g} a second, {rate.burst} at once",
            )  # fmt: skip
        if len(self._left) >= _MOST_KEPT:
            self._left.clear()
        self._left[key] = (left - 1.0, now)
