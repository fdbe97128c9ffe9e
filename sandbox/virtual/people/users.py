"""The world's users before the gateway: who visits when, how they answer a slate, when they come again.

As the Locust users of a live stack do it (loadtest/locustfile.py), from the same schedule of arrivals.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from loadtest.schedule import Schedule
from loadtest.scripts import Script
from loadtest.sessions import REMEMBERED, Reaction, reactions
from sandbox.base.features import SEGMENTS
from sandbox.virtual.machine.fabric import Dice, dice
from sandbox.virtual.people.breaches import Breaches
from sandbox.virtual.people.ledger import LOST_AFTER_S, LedgerBook
from sandbox.virtual.people.slices import EVERYONE, Slice
from sandbox.virtual.processes.gateway import Served
from sandbox.world.behaviour import Behaviour, SlateResponse

_SEGMENT = {name: i for i, name in enumerate(SEGMENTS)}


@dataclass(slots=True)
class Visit:
    """A visit in progress. depth: requests reacted to so far. satisfaction: None before the first.

    Of the next request, intended_ts: its world time; think_s: world seconds from its answer to the one after
    it; dice: its noise.
    """

    user: int
    session: int
    intended_ts: float
    dice: Dice
    think_s: float
    depth: int = 0
    satisfaction: float | None = None
    clicked: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    script: Script | None = None  # what a program plays in the user's name


@dataclass(slots=True)
class Finished:
    """An answered request. arrived_ts, answered_ts: world seconds. rt_ms: what its user waited.

    request_id: None where no answer came. dice: its noise, which goes on with its feedback. reactions: what
    its user did, None before they reacted; over: that ended the visit.
    """

    visit: Visit
    arrived_ts: float
    answered_ts: float
    rt_ms: float
    served: Served | None
    request_id: str | None
    region: int
    dice: Dice
    reactions: list[Reaction] | None = None
    over: bool = False

    @property
    def items(self) -> list[int]:
        return self.served.shown.get() if self.served is not None else []


class Users:
    """seed: of the noise of their calls. book: takes what came of everything. watched: the slice that the
    book tells apart."""

    def __init__(
        self, behaviour: Behaviour, schedule: Schedule, book: LedgerBook, breaches: Breaches,
        in_group_b: np.ndarray, seed: int, watched: Slice = EVERYONE,
    ) -> None:  # fmt: skip
        self.behaviour, self.schedule, self.book, self.seed = behaviour, schedule, book, seed
        self.breaches, self.in_group_b, self.watched = breaches, in_group_b, watched
        self.mood: dict[int, float] = {}

    def begin(self, before_ts: float) -> list[Visit]:
        """The visits that begin before that world time and were not handed out yet."""
        due = list(self.schedule.due(before_ts))
        drawn = self._drawn([(user, session, 1) for _, user, session in due])
        visits = [Visit(user, session, ts, *luck) for (ts, user, session), luck in zip(due, drawn, strict=True)]
        for visit in visits:
            visit.script = self.schedule.script_of(visit.session)
            visit.think_s = visit.script.gap_s if visit.script else visit.think_s
        return visits

    def _drawn(self, requests: list[tuple[int, int, int]]) -> list[tuple[Dice, float]]:
        """The noise of each request (user, session, depth), and how long its user thinks after it."""
        if not requests:
            return []
        user, session, depth = np.array(requests).T
        think_s = self.behaviour.think_s(user, session, depth).tolist()
        return list(zip(dice(self.seed, "request", user, session, depth), think_s, strict=True))

    def answer(self, finished: list[Finished]) -> None:
        """Lets the users react, in one batch; who stays has the next request to ask."""
        if not finished:
            return
        response, slate = self._respond(finished)
        people = [i for i, of in enumerate(finished) if of.visit.script is None]
        for i, of in enumerate(finished):
            visit, items = of.visit, of.items
            visit.depth += 1
            if visit.script is not None:
                visit.script.play(response, i, slate[i], visit.user, visit.session, visit.depth)
            visit.satisfaction = float(response.satisfaction[i])
            visit.shown.extend(items)
            visit.clicked.extend(slate[i][response.click[i]].tolist())
            of.reactions = list(reactions(items, response, i))
            of.over = bool(response.leave[i])
        if len(people) == len(finished):
            self._note(finished, response, slate)
        elif people:  # no person's harm is a program's
            self._note([finished[i] for i in people], response.of(people), slate[people])
        self._note_ended([finished[i] for i in people if finished[i].over])
        stay = [of for of in finished if not of.over]
        drawn = self._drawn([(of.visit.user, of.visit.session, of.visit.depth + 1) for of in stay])
        for of, luck in zip(stay, drawn, strict=True):
            of.visit.intended_ts = of.answered_ts + of.visit.think_s
            of.visit.dice, of.visit.think_s = luck
            if of.visit.script is not None:
                of.visit.think_s = of.visit.script.gap_s

    def _respond(self, finished: list[Finished]) -> tuple[SlateResponse, np.ndarray]:
        k = max(1, *(len(of.items) for of in finished), 1)
        slate = np.full((len(finished), k), -1, np.int64)
        for row, of in zip(slate, finished, strict=True):
            row[: len(of.items)] = of.items
        response = self.behaviour.respond(
            user=np.array([of.visit.user for of in finished]),
            session=np.array([of.visit.session for of in finished]),
            request_no=np.array([of.visit.depth + 1 for of in finished]),
            item=slate,
            latency_ms=np.array([of.rt_ms for of in finished]),
            satisfaction=np.array([self._mood(of.visit) for of in finished]),
            recent_clicked=_padded([of.visit.clicked for of in finished]),
            recent_shown=_padded([of.visit.shown for of in finished]),
        )
        return response, slate

    def _mood(self, visit: Visit) -> float:
        """Before the slate: at a visit's beginning the mood that the last one left."""
        if visit.satisfaction is None:
            return self.mood.get(visit.user, 0.5)
        return visit.satisfaction

    def _note(self, finished: list[Finished], response: SlateResponse, slate: np.ndarray) -> None:
        real = slate >= 0
        safe = np.where(real, slate, 0)
        user = np.array([of.visit.user for of in finished])
        self.book.add_requests(
            ts=[of.arrived_ts for of in finished],
            user=user,
            session=[of.visit.session for of in finished],
            depth=[of.visit.depth for of in finished],
            region=[of.region for of in finished],
            segment=[_SEGMENT.get(of.served.segment, -1) if of.served else -1 for of in finished],
            latency_ms=[of.rt_ms for of in finished],
            degraded=[of.served is None or of.served.degraded.get() for of in finished],
            n_items=real.sum(1),
            clicks=response.click.sum(1),
            conversions=np.isfinite(response.conversion_delay_s).sum(1),
            revenue=response.revenue.sum(1, dtype=np.float64),
            breaches=(self._against_policy(finished, user, safe) & real).sum(1),
            shown_b=(self.in_group_b[safe] & real).sum(1),
            **self._of_slice(user, safe, real),
        )

    def _against_policy(self, finished: list[Finished], user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """bool [n, k]: of items, int64 [n, k], shown to users, int64 [n]."""
        personal = np.array([of.served is not None and of.served.personalised for of in finished])
        asked_ts = np.array([of.arrived_ts for of in finished])
        return self.breaches.of(user, item) | self.breaches.unasked(user, asked_ts, personal)[:, None]

    def _of_slice(self, user: np.ndarray, item: np.ndarray, real: np.ndarray) -> dict[str, np.ndarray]:
        """What the ledger says of the slice that is watched; nothing where that is everyone."""
        users, items = self.watched.users, self.watched.items
        found = {} if users is None else {"in_slice": users[user]}
        return found if items is None else {**found, "shown_slice": (items[item] & real).sum(1)}

    def _note_ended(self, ended: list[Finished]) -> None:
        if not ended:
            return
        user = np.array([of.visit.user for of in ended])
        mood = np.array([self._mood(of.visit) for of in ended])
        self.mood |= zip(user.tolist(), mood.tolist(), strict=True)
        rate = self.behaviour.session_rate(user) * self.behaviour.return_factor(mood)
        self.book.add_visits(
            ts=[of.answered_ts for of in ended],
            user=user,
            session=[of.visit.session for of in ended],
            satisfaction=mood,
            lost=np.exp(-rate * LOST_AFTER_S),
        )


def _padded(lists: list[list[int]]) -> np.ndarray:
    """int64 [n, r], r the longest list's length but REMEMBERED at most; -1 pads."""
    longest = min(REMEMBERED, max((len(of) for of in lists), default=0))
    out = np.full((len(lists), max(1, longest)), -1, np.int64)
    for row, of in zip(out, lists, strict=True):
        last = of[-REMEMBERED:]
        row[: len(last)] = last
    return out
