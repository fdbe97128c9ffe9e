"""Whose request an arrival is: somebody whose visit goes on, or somebody who comes. Pure.

Arrivals say when requests are made, whatever becomes of them. The world's users are behind them all the same: who was
answered and has thought is next, and where nobody is, the next of the world's own visits begins.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from loadtest.lab.arrivals import BOT, CROWD, PERSON
from loadtest.scripts import Script
from loadtest.sessions import Visit

CROWD_PAGES, CROWD_GAP_S = 3, 30.0  # requests of a visit for the one item; world seconds between them
BOT_PAGES, BOT_GAP_S = 40, 5.0


class Crowd:
    """come: (world time, user, session) of the next visit of the world. item: what a flash crowd clicks. mood: of users
    who were there before, by user."""

    def __init__(
        self, come: Callable[[], tuple[float, int, int]], item: int | None = None, mood: dict[int, float] | None = None
    ) -> None:
        self._come, self._mood = come, {} if mood is None else mood
        self._thinking: dict[int, list[tuple[float, int, Visit]]] = {PERSON: [], CROWD: [], BOT: []}
        self._count = itertools.count()
        targets = frozenset() if item is None else frozenset({item})
        self._scripts = {
            PERSON: None,
            CROWD: Script(CROWD_PAGES, CROWD_GAP_S, "targets", targets),
            BOT: Script(BOT_PAGES, BOT_GAP_S),
        }

    def next(self, who: int, now_ts: float) -> Visit:
        """The visit whose turn it is: of those that are ready by now the one that has waited longest, or a new one."""
        waiting = self._thinking[who]
        if waiting and waiting[0][0] <= now_ts:
            return heapq.heappop(waiting)[2]
        _, user, session = self._come()
        return Visit(user, session, self._mood.get(user, 0.5), script=self._scripts[who])

    def back(self, who: int, visit: Visit, ready_ts: float) -> None:
        """After an answer. ready_ts: world time from which the visit can go on; where it is over, its mood is kept."""
        if not visit.over:
            heapq.heappush(self._thinking[who], (ready_ts, next(self._count), visit))
        elif visit.script is None:
            self._mood[visit.user] = visit.satisfaction
