"""How many requests of one user a gateway takes in: a window that slides with world time. Pure: no clock of its own."""

from __future__ import annotations

from collections import deque

from sandbox.base.errors import SandboxError

WINDOW_S = 60.0  # world seconds
_MAX_USERS = 20_000  # remembered; who has not asked for a window is forgotten from there on


class Limiter:
    """Remembers when each user was let in. A request that is refused does not count."""

    def __init__(self) -> None:
        self._let_in: dict[int, deque[float]] = {}

    def require(self, user: int, now: float, most: int | None) -> None:
        """Raises WIRE-009 where the user had `most` requests in the window that ends now. None: nothing is counted.

        now: world seconds, not before those of the call before.
        """
        if most is None:
            self._let_in.clear()
            return
        times = self._let_in.setdefault(user, deque())
        while times and times[0] <= now - WINDOW_S:
            times.popleft()
        if len(times) >= most:
            raise SandboxError(
                "WIRE-009",
                where=f"Recommend, user {user}",
                seen=f"more than {most} requests within {WINDOW_S:g} s",
                expected=f"at most {most}",
                fix="ask more slowly",
            )
        times.append(now)
        if len(self._let_in) > _MAX_USERS:
            self._let_in = {u: t for u, t in self._let_in.items() if t and t[-1] > now - WINDOW_S}
