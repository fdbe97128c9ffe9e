"""Users who live for weeks: they come, look at slates, click, leave and come back.

Between two batch jobs no user's events reach another user, so requests may be answered in any order
that keeps each user's own: a wave answers the next request of everybody who has one before the jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.features import ITEM_STATS, USER_PROFILE, Rows, Status
from sandbox.base.streams import seed_of
from sandbox.virtual.answers.content import Answer, Request
from sandbox.virtual.people.ledger import LOST_AFTER_S
from sandbox.virtual.weeks.rows import StreamedRows
from sandbox.virtual.weeks.served import Served
from sandbox.world.behaviour import Behaviour
from services.gateway.stages import UserRows

MAX_DEPTH = 20  # requests of one visit at the most, as in the histories of worlds
LATENCY_MS = 60.0  # of every answer: too short for users to mind
_REMEMBERED = 20  # clicks of the visit that users remember
_READ_S, _NEXT_S = 1.5, 1.2  # to the first slot, from slot to slot: as in the histories of worlds


class Answers(Protocol):
    """sandbox.virtual.answers.content.Content, as far as it is used here."""

    def healthy(
        self,
        asked: Sequence[Request],
        rows: Sequence[UserRows],
        item_rows: Callable[[np.ndarray, float], Rows],
    ) -> list[Answer]: ...


@dataclass(frozen=True)
class Batch:
    """Batch features in force. ts: world seconds; profile: float32 [users of the world, 36], rows of users
    who may not be known are not read; stats: float32 [items, 16]."""

    ts: float
    profile: np.ndarray
    stats: np.ndarray


class Cohort:
    """Some users of a world. answers: by arm; arm: int64 [n], of each of `user` (int64 [n])."""

    def __init__(
        self, behaviour: Behaviour, catalogue: Catalogue, user: np.ndarray, arm: np.ndarray,
        start_ts: float, seed: int, k: int,
    ) -> None:  # fmt: skip
        luck = seed_of(behaviour.latent.seed, "weeks", seed)
        self.behaviour = Behaviour(replace(behaviour.latent, seed=luck))
        self.catalogue, self.user, self.arm, self.k = catalogue, user, arm, k
        self.answers: Mapping[int, Answers] = {}
        self.rows = StreamedRows.none(len(user))
        self.known = catalogue.user_personalised[user]
        self.satisfaction = self.behaviour.satisfaction_at_start(user)
        self.depth = np.zeros(len(user), np.int64)  # requests of the visit so far, 0 between visits
        self.visit = np.zeros(len(user), np.int64)  # visits so far
        self._shown = np.full((len(user), MAX_DEPTH * k), -1, np.int64)
        self._clicked = np.full((len(user), _REMEMBERED), -1, np.int64)
        self._clock = _LocalTime(self.behaviour, user)
        first = self.behaviour.return_gap_s(user, _session(user, self.visit), self.satisfaction)
        self.next_ts = self._clock.after(np.arange(len(user)), np.full(len(user), start_ts), first)
        self.batch = Batch(
            start_ts,
            np.tile(USER_PROFILE.default_row, (catalogue.n_users, 1)),
            np.tile(ITEM_STATS.default_row, (catalogue.n_items, 1)),
        )

    def until(self, ts: float) -> Served:
        """Everything that is asked for before ts (world seconds), answered with the batch features in force."""
        waves = [Served.none(self.k)]
        while len(due := np.flatnonzero(self.next_ts < ts)):
            waves.append(self._wave(due))
        return Served.joined(waves)

    def _wave(self, at: np.ndarray) -> Served:
        self._begin(at[self.depth[at] == 0])
        self.depth[at] += 1
        user, now, depth = self.user[at], self.next_ts[at], self.depth[at]
        session = _session(user, self.visit[at])
        item, randomised = self._slates(at, session, now)
        answer = self.behaviour.respond(
            user=user, session=session, request_no=depth, item=item,
            latency_ms=np.full(len(at), LATENCY_MS), satisfaction=self.satisfaction[at],
            recent_clicked=self._clicked[at],
            recent_shown=self._shown[at, : (int(depth.max()) - 1) * self.k],
        )  # fmt: skip
        read_ts = now[:, None] + _READ_S + _NEXT_S * np.arange(self.k)
        click_ts = np.where(answer.click, read_ts, np.nan)
        self.rows.apply(at[self.known[at]], *(a[self.known[at]] for a in (session, now, item, click_ts)))
        self.satisfaction[at] = answer.satisfaction
        self._remember(at, item, answer.click)
        left = answer.leave | (depth == MAX_DEPTH)
        gap_s = self._schedule(at, session, now, left)
        return Served(
            now, user, session, depth, self.arm[at], answer.satisfaction.astype(np.float64), left, gap_s,
            np.where(left, self._lost(user, answer.satisfaction), np.nan), item, randomised, click_ts,
            answer.dwell_s, answer.like, answer.hide, click_ts + answer.conversion_delay_s, answer.revenue,
        )  # fmt: skip

    def _begin(self, at: np.ndarray) -> None:
        self.visit[at] += 1
        self._shown[at] = self._clicked[at] = -1

    def _slates(self, at: np.ndarray, session: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Items int64 [n, k], -1 pads, and whether chance chose them, bool [n, k]."""
        item = np.full((len(at), self.k), -1, np.int64)
        randomised = np.zeros((len(at), self.k), bool)
        rows = self._user_rows(at, now)
        for arm, answers in self.answers.items():
            here = np.flatnonzero(self.arm[at] == arm)
            if not len(here):
                continue
            asked = [self._asked(int(at[i]), int(session[i]), float(now[i])) for i in here]
            for i, answer in zip(here, answers.healthy(asked, [rows[i] for i in here], self._item_rows), strict=True):
                slate = answer.slate
                assert slate is not None, "healthy answers went through the rules"
                shown = answer.candidates.ids[answer.ranked.order[slate.rows]]
                item[i, : len(shown)] = shown
                randomised[i, : len(shown)] = slate.randomised
        return item, randomised

    def _asked(self, at: int, session: int, now: float) -> Request:
        user = int(self.user[at])
        region = int(self.catalogue.user_region[user])
        return Request(user, session, int(self.depth[at]), region, self.k, bool(self.known[at]), now)

    def _user_rows(self, at: np.ndarray, now: np.ndarray) -> list[UserRows]:
        known = self.known[at]
        profile = self.batch.profile[self.user[at[known]]]
        served = iter(self.rows.served(at[known], now[known], profile, self.catalogue.item_topics))
        return [next(served) if may else UserRows.unknown() for may in known]

    def _item_rows(self, ids: np.ndarray, now: float) -> Rows:
        n = len(ids)
        return Rows(
            self.batch.stats[ids],
            np.full(n, self.batch.ts),
            np.full(n, Status.PRESENT, np.uint8),
            np.ones(n, np.uint64),
        )

    def _remember(self, at: np.ndarray, item: np.ndarray, click: np.ndarray) -> None:
        first = (self.depth[at] - 1) * self.k
        self._shown[at[:, None], first[:, None] + np.arange(self.k)] = item
        both = np.hstack([np.where(click, item, -1), self._clicked[at]])
        order = np.argsort(both < 0, axis=1, kind="stable")[:, :_REMEMBERED]
        self._clicked[at] = np.take_along_axis(both, order, axis=1)

    def _schedule(self, at: np.ndarray, session: np.ndarray, now: np.ndarray, left: np.ndarray) -> np.ndarray:
        """Sets when each asks next. float64 [n]: world seconds to the next visit, NaN within one."""
        think_s = self.behaviour.think_s(self.user[at], session, self.depth[at])
        self.next_ts[at] = now + think_s
        gone = at[left]
        gap = self.behaviour.return_gap_s(self.user[gone], session[left], self.satisfaction[gone])
        self.next_ts[gone] = self._clock.after(gone, now[left], gap)
        self.depth[gone] = 0
        gap_s = np.full(len(at), np.nan)
        gap_s[left] = self.next_ts[gone] - now[left]
        return gap_s

    def _lost(self, user: np.ndarray, satisfaction: np.ndarray) -> np.ndarray:
        rate = self.behaviour.session_rate(user) * self.behaviour.return_factor(satisfaction)
        return np.asarray(np.exp(-rate * LOST_AFTER_S))


class _LocalTime:
    """Busy seconds: time as each user's day stretches it, so that visits fall into waking hours.

    A gap drawn for a steady rate is laid along the integral of `Behaviour.diurnal`, which is a day long
    in a day: the rate is then rate x diurnal, as in a thinned Poisson process.
    """

    def __init__(self, behaviour: Behaviour, user: np.ndarray) -> None:
        hours = 3_600.0 * np.arange(24)
        weight = behaviour.diurnal(hours[None, :], user[:, None])
        self._zone, rows = np.unique(weight, axis=0, return_inverse=True)
        self._row = rows.reshape(-1)  # of each user, among the days there are
        busy = np.cumsum(self._zone * 3_600.0, axis=1)
        self._edges = np.hstack([np.zeros((len(busy), 1)), busy * (DAY_S / busy[:, -1:])])

    def after(self, at: np.ndarray, ts: np.ndarray, busy_s: np.ndarray) -> np.ndarray:
        """float64 [n]: world seconds at which busy_s have gone by for users `at` since ts."""
        out = np.empty(len(at))
        clock = DAY_S * np.arange(25) / 24
        for row in np.unique(self._row[at]).tolist():
            mine = self._row[at] == row
            day, rest = np.divmod(ts[mine], DAY_S)
            busy = day * DAY_S + np.interp(rest, clock, self._edges[row]) + busy_s[mine]
            day, rest = np.divmod(busy, DAY_S)
            out[mine] = day * DAY_S + np.interp(rest, self._edges[row], clock)
        return out


def _session(user: np.ndarray, visit: np.ndarray) -> np.ndarray:
    """int64 [n]: number of a visit, apart from those of any history. visit: from 1, 0 before the first."""
    return np.asarray((visit << 32) | user)
