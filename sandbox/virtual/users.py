"""The world's users before the gateway: who visits when, how they answer a slate, when they come again.

As the Locust users of a live stack do it (loadtest/locustfile.py), from the same schedule of arrivals.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from loadtest.schedule import Schedule
from loadtest.sessions import REMEMBERED, Reaction, reactions
from sandbox.base.features import SEGMENTS
from sandbox.virtual.breaches import Breaches
from sandbox.virtual.fabric import Dice
from sandbox.virtual.gateway import Served
from sandbox.virtual.ledger import LOST_AFTER_S, LedgerBook
from sandbox.world.behaviour import Behaviour, SlateResponse

_SEGMENT = {name: i for i, name in enumerate(SEGMENTS)}


@dataclass(slots=True)
class Visit:
    """A visit in progress. depth: requests answered so far. intended_ts: world time of the next one.
    think_s: world seconds from its answer to the request after it, known once it was taken."""

    user: int
    session: int
    satisfaction: float
    intended_ts: float
    depth: int = 0
    think_s: float = 0.0
    clicked: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Finished:
    """An answered request. arrived_ts, answered_ts: world seconds. rt_ms: what its user waited.
    request_id: None where no answer came. dice: its noise, which goes on with its feedback."""

    visit: Visit
    arrived_ts: float
    answered_ts: float
    rt_ms: float
    served: Served | None
    request_id: str | None
    region: int
    dice: Dice


class Users:
    """feedback: sends what a user did, and whether that ended the visit."""

    def __init__(
        self, behaviour: Behaviour, schedule: Schedule, book: LedgerBook,
        breaches: Breaches, in_group_b: np.ndarray,
        feedback: Callable[[Finished, list[Reaction], bool], None],
    ) -> None:  # fmt: skip
        self.behaviour, self.schedule, self.book = behaviour, schedule, book
        self.breaches, self.in_group_b, self.feedback = breaches, in_group_b, feedback
        self.mood: dict[int, float] = {}
        self._due: list[tuple[float, int, int, Visit]] = []

    def take(self, before_ts: float) -> list[Visit]:
        """Visits whose next request is due before that world time, in order of time."""
        for ts, user, session in self.schedule.due(before_ts):
            heapq.heappush(self._due, (ts, user, session, Visit(user, session, -1.0, ts)))
        taken: list[Visit] = []
        while self._due and self._due[0][0] < before_ts:
            taken.append(heapq.heappop(self._due)[3])
        for visit in taken:
            if visit.satisfaction < 0:  # begins now, in the mood that the last visit left
                visit.satisfaction = self.mood.get(visit.user, 0.5)
        if taken:
            think_s = self.behaviour.think_s(
                np.array([v.user for v in taken]), np.array([v.session for v in taken]),
                np.array([v.depth + 1 for v in taken]),
            )  # fmt: skip
            for visit, seconds in zip(taken, think_s.tolist(), strict=True):
                visit.think_s = seconds
        return taken

    def put_back(self, visits: list[Visit]) -> None:
        """Visits whose next request is due at their `intended_ts`."""
        for visit in visits:
            heapq.heappush(self._due, (visit.intended_ts, visit.user, visit.session, visit))

    def answer(self, finished: list[Finished]) -> None:
        """Lets the users react, in one batch; their next requests and their feedback follow."""
        if not finished:
            return
        response, slate = self._respond(finished)
        ended: list[tuple[Finished, float]] = []
        for i, of in enumerate(finished):
            visit, items = of.visit, of.served.items if of.served else []
            visit.depth += 1
            visit.satisfaction = float(response.satisfaction[i])
            visit.shown.extend(items)
            visit.clicked.extend(slate[i][response.click[i]].tolist())
            over = bool(response.leave[i])
            self.feedback(of, list(reactions(items, response, i)), over)
            if over:
                self.mood[visit.user] = visit.satisfaction
                ended.append((of, visit.satisfaction))
            else:
                visit.intended_ts = of.answered_ts + visit.think_s
                self.put_back([visit])
        self._note(finished, response, slate)
        self._note_ended(ended)

    def _respond(self, finished: list[Finished]) -> tuple[SlateResponse, np.ndarray]:
        k = max(1, *(len(of.served.items) if of.served else 0 for of in finished), 1)
        slate = np.full((len(finished), k), -1, np.int64)
        for row, of in zip(slate, finished, strict=True):
            if of.served:
                row[: len(of.served.items)] = of.served.items
        response = self.behaviour.respond(
            user=np.array([of.visit.user for of in finished]),
            session=np.array([of.visit.session for of in finished]),
            request_no=np.array([of.visit.depth + 1 for of in finished]),
            item=slate,
            latency_ms=np.array([of.rt_ms for of in finished]),
            satisfaction=np.array([of.visit.satisfaction for of in finished]),
            recent_clicked=_padded([of.visit.clicked for of in finished]),
            recent_shown=_padded([of.visit.shown for of in finished]),
        )
        return response, slate

    def _note(self, finished: list[Finished], response: SlateResponse, slate: np.ndarray) -> None:
        real = slate >= 0
        safe = np.where(real, slate, 0)
        user = np.array([of.visit.user for of in finished])
        self.book.add_requests(
            ts=[of.arrived_ts for of in finished], user=user,
            session=[of.visit.session for of in finished], depth=[of.visit.depth for of in finished],
            region=[of.region for of in finished],
            segment=[_SEGMENT.get(of.served.segment, -1) if of.served else -1 for of in finished],
            latency_ms=[of.rt_ms for of in finished],
            degraded=[of.served is None or of.served.degraded for of in finished],
            n_items=real.sum(1), clicks=response.click.sum(1),
            conversions=np.isfinite(response.conversion_delay_s).sum(1),
            revenue=response.revenue.sum(1, dtype=np.float64),
            breaches=(self.breaches.of(user, safe) & real).sum(1),
            shown_b=(self.in_group_b[safe] & real).sum(1),
        )  # fmt: skip

    def _note_ended(self, ended: list[tuple[Finished, float]]) -> None:
        if not ended:
            return
        user = np.array([of.visit.user for of, _ in ended])
        mood = np.array([satisfaction for _, satisfaction in ended])
        rate = self.behaviour.session_rate(user) * self.behaviour.return_factor(mood)
        self.book.add_visits(
            ts=[of.answered_ts for of, _ in ended], user=user,
            session=[of.visit.session for of, _ in ended], satisfaction=mood,
            lost=np.exp(-rate * LOST_AFTER_S),
        )  # fmt: skip


def _padded(lists: list[list[int]]) -> np.ndarray:
    """int64 [n, r], r the longest list's length but REMEMBERED at most; -1 pads."""
    longest = min(REMEMBERED, max((len(of) for of in lists), default=0))
    out = np.full((len(lists), max(1, longest)), -1, np.int64)
    for row, of in zip(out, lists, strict=True):
        last = of[-REMEMBERED:]
        row[: len(last)] = last
    return out
