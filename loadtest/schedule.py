"""Who visits when: sessions by the world's own arrivals, handed out in order of time."""

from __future__ import annotations

from collections import deque

from sandbox.world.behaviour import Behaviour

WINDOW_S = 600.0  # world seconds drawn at a time


class Schedule:
    """An endless, deterministic row of (world time, user, session).

    rate_per_s: sessions per world second. seed: of who comes. shaped: follow the hours of the day.
    """

    def __init__(
        self, behaviour: Behaviour, start_ts: float, rate_per_s: float, seed: int, *, shaped: bool
    ) -> None:
        self._behaviour, self._until = behaviour, start_ts
        self._rate, self._seed, self._shaped = rate_per_s, seed, shaped
        self._ahead: deque[tuple[float, int, int]] = deque()

    def take(self) -> tuple[float, int, int]:
        """The next session to begin."""
        while not self._ahead:
            end = self._until + WINDOW_S
            ts, user, session = self._behaviour.arrivals(
                self._until, end, self._rate, self._seed, shaped=self._shaped
            )
            self._ahead.extend(zip(ts.tolist(), user.tolist(), session.tolist(), strict=True))
            self._until = end
        return self._ahead.popleft()
