"""One visit of one simulated user, as a pure state: what to ask next, what came of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loadtest.scripts import Script
from sandbox.world.behaviour import Behaviour, SlateResponse

REMEMBERED = 100  # items of a session that its user still knows when choosing


@dataclass(frozen=True)
class Reaction:
    """One thing a user does. after_s: world seconds after the slate was answered."""

    after_s: float
    item_id: int
    kind: str
    value: float


@dataclass
class Visit:
    """A user's visit. depth counts the requests answered so far. over: the user has left. script: what a program
    plays in the user's name."""

    user: int
    session: int
    satisfaction: float
    depth: int = 0
    over: bool = False
    clicked: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    script: Script | None = None

    def answer(self, behaviour: Behaviour, items: list[int], latency_ms: float) -> list[Reaction]:
        """The user's reactions to a slate (empty where none came), and the visit moved on by one."""
        self.depth += 1
        one = {
            "user": np.array([self.user]),
            "session": np.array([self.session]),
            "request_no": np.array([self.depth]),
            "latency_ms": np.array([latency_ms]),
            "satisfaction": np.array([self.satisfaction]),
        }
        slate = np.array([items or [-1]], dtype=np.int64)
        response = behaviour.respond(
            **one, item=slate, recent_clicked=_recent(self.clicked), recent_shown=_recent(self.shown)
        )
        if self.script is not None:
            self.script.play(response, 0, slate[0], self.user, self.session, self.depth)
        self.over = bool(response.leave[0])
        self.satisfaction = float(response.satisfaction[0])
        self.shown.extend(items)
        self.clicked.extend(int(i) for i in slate[0][response.click[0]])
        return list(reactions(items, response))

    def think_s(self, behaviour: Behaviour) -> float:
        """World seconds until the next request."""
        if self.script is not None:
            return self.script.gap_s
        place = (np.array([self.user]), np.array([self.session]), np.array([self.depth]))
        return float(behaviour.think_s(*place)[0])


def _recent(items: list[int]) -> np.ndarray:
    return np.array([items[-REMEMBERED:]], dtype=np.int64).reshape(1, -1)


def reactions(items: list[int], response: SlateResponse, row: int = 0) -> Iterator[Reaction]:
    """What the user of one row of a response does with the items shown, in display order; leaving comes
    last, once nothing on the page holds them. Everything that follows from a click comes after it."""
    at_s = gone_s = 0.0
    for place, item in enumerate(items):
        if response.hide[row, place]:
            yield Reaction(at_s, item, "hide", 1.0)
            gone_s = max(gone_s, at_s)
        if not response.click[row, place]:
            continue
        dwell_s = float(response.dwell_s[row, place])
        read_s = at_s + dwell_s
        yield Reaction(at_s, item, "click", 1.0)
        yield Reaction(read_s, item, "dwell", dwell_s)
        if response.like[row, place]:
            yield Reaction(read_s, item, "like", 1.0)
        delay_s: Any = response.conversion_delay_s[row, place]
        if np.isfinite(delay_s):
            revenue = float(response.revenue[row, place])
            yield Reaction(at_s + float(delay_s), item, "conversion", revenue)
        gone_s = max(gone_s, read_s)
        at_s += 1.0  # one thing after the other
    if response.leave[row]:
        yield Reaction(gone_s, -1, "leave", 1.0)


def requests_per_session(behaviour: Behaviour) -> float:
    """Expected requests of a visit at middling mood and no delay: what a rate is divided by."""
    users = np.arange(min(behaviour.n_users, 2_000))
    ones = np.ones(len(users))
    leave = behaviour.leave_probability(users, 0.5 * ones, 0 * ones, np.zeros(len(users), bool))
    return float(np.mean(1 / leave))
