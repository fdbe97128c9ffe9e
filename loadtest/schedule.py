"""Who visits when: sessions by the world's own arrivals, handed out in order of time."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.scripts import TESTER, Clicks, Script
from loadtest.sessions import requests_per_session
from sandbox.base.catalogue import Catalogue
from sandbox.base.errors import SandboxError
from sandbox.base.load import LoadTest, TrafficShape
from sandbox.base.streams import seed_of, uniforms
from sandbox.world.behaviour import Behaviour
from services.skeleton.seams import Call, Seam

Share = Callable[[NDArray[np.float64]], NDArray[np.float64]]
WINDOW_S = 60.0  # world seconds drawn at a time: so much later a wrapper of `traffic` may show
_EXTRA = 1 << 44  # the world's own session ids stay below it
_LANES = 1 << 10
_TEST = "load-test"


@dataclass(frozen=True)
class Sessions:
    """Sessions in the order in which they begin. ts: float64 [m], world seconds. user, session: int64 [m]."""

    ts: NDArray[np.float64]
    user: NDArray[np.int64]
    session: NDArray[np.int64]

    def with_(self, other: Sessions) -> Sessions:
        """Both, in the order of time; of two at one time, those of `self` first."""
        ts = np.concatenate([self.ts, other.ts])
        order = np.argsort(ts, kind="stable")
        user = np.concatenate([self.user, other.user])[order]
        session = np.concatenate([self.session, other.session])[order]
        return Sessions(ts[order], user, session)


class Arrivals:
    """Who comes in a window of time, and who else could: `attributes["arrivals"]` at the seam `traffic`.

    rate_per_s: sessions per world second. seed: of who comes. shaped: follow the hours of the day.
    catalogue: what is public about users; None where nothing is put on the seam. share: of rate_per_s
    that comes, 0..1 [n] at world times [n]; None: all, always.
    """

    def __init__(
        self, behaviour: Behaviour, catalogue: Catalogue | None, rate_per_s: float, seed: int, *, shaped: bool,
        share: Share | None = None,
    ) -> None:  # fmt: skip
        self.behaviour, self.catalogue = behaviour, catalogue
        self.rate_per_s, self.seed, self.shaped, self.share = rate_per_s, seed, shaped, share
        self.scripts: dict[int, Script] = {}  # by lane of session ids: who is no person there

    def usual(self, start_ts: float, end_ts: float) -> Sessions:
        """The sessions that begin in [start_ts, end_ts), whatever pieces of time are asked for."""
        return self._drawn(start_ts, end_ts, self.rate_per_s, self.seed)

    def more(
        self, start_ts: float, end_ts: float, factor: float, name: str, users: NDArray[np.bool_] | None = None
    ) -> Sessions:
        """Further sessions, `factor` times as many as usual, of the users marked (bool [users], None: all).

        name: of why they come; keys their draws and session ids, which no usual session has.
        """
        weight = self.behaviour.session_rate(np.arange(self.behaviour.n_users))
        share = 1.0 if users is None else float(weight[users].sum() / weight.sum())
        if share == 0 or factor <= 0:
            return Sessions(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))
        rate = self.rate_per_s * factor / share
        drawn = self._drawn(start_ts, end_ts, rate, seed_of(self.seed, f"traffic/{name}"))
        keep = slice(None) if users is None else users[drawn.user]
        session = drawn.session + _lane(name) * _EXTRA
        return Sessions(drawn.ts[keep], drawn.user[keep], session[keep])

    def scripted(
        self, start_ts: float, end_ts: float, requests_share: float, name: str, users: NDArray[np.bool_], *,
        pages: int, gap_s: float, clicks: Clicks, targets: Iterable[int] = (),
    ) -> Sessions:  # fmt: skip
        """Further sessions of programs under the names of these users. requests_share: their requests, as a share
        of the usual ones. The rest: see Script."""
        self.scripts[_lane(name)] = Script(pages, gap_s, clicks, frozenset(targets))
        factor = requests_share * requests_per_session(self.behaviour) / pages
        return self.more(start_ts, end_ts, factor, name, users)

    def tested(self, start_ts: float, end_ts: float, rate_per_s: float) -> Sessions:
        """The visits of a load test, `rate_per_s` per world second, whatever the hour: one request each."""
        self.scripts[_lane(_TEST)] = Script(1, 1.0, user_class=TESTER)
        seed = seed_of(self.seed, f"traffic/{_TEST}")
        ts, user, session = self.behaviour.arrivals(start_ts, end_ts, rate_per_s, seed)
        return Sessions(ts, user, session + _lane(_TEST) * _EXTRA)

    def _drawn(self, start_ts: float, end_ts: float, rate: float, seed: int) -> Sessions:
        ts, user, session = self.behaviour.arrivals(start_ts, end_ts, rate, seed, shaped=self.shaped)
        if self.share is None:
            return Sessions(ts, user, session)
        # Thinned by draws of the sessions' own, so that pieces of time do not matter here either.
        keep = uniforms(seed, "traffic/share", session) < self.share(ts)
        return Sessions(ts[keep], user[keep], session[keep])


def _lane(name: str) -> int:
    """Its part of the session ids, from 1."""
    return 1 + int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) % _LANES


class Schedule:
    """An endless, deterministic row of sessions, drawn window by window through the seam `traffic`.

    rate_per_s: sessions per world second. seed: of who comes. shaped: follow the hours of the day.
    seam: None for one of its own, on which nothing is ever put. share: as in Arrivals. speed: world seconds per
    wall second, by which the rate of a load test counts.
    """

    @classmethod
    def of(
        cls, traffic: TrafficShape, behaviour: Behaviour, start_ts: float, speed: float, seed: int, *,
        catalogue: Catalogue, seam: Seam, began_ts: float | None = None,
    ) -> Schedule:  # fmt: skip
        """The sessions that bring so many requests. speed: world seconds per wall second. began_ts: world
        time from which `traffic` counts, start_ts when None."""
        began = start_ts if began_ts is None else began_ts
        peak = traffic.peak_per_s / speed / requests_per_session(behaviour)

        def share(ts: NDArray[np.float64]) -> NDArray[np.float64]:
            return traffic.per_s(ts - began) / traffic.peak_per_s

        return cls(
            behaviour, start_ts, peak, seed, shaped=traffic.shape == "daily", catalogue=catalogue, seam=seam,
            share=None if traffic.to_per_s is None else share, speed=speed,
        )  # fmt: skip

    def __init__(
        self, behaviour: Behaviour, start_ts: float, rate_per_s: float, seed: int, *, shaped: bool,
        catalogue: Catalogue | None = None, seam: Seam | None = None, share: Share | None = None,
        speed: float = 60.0,
    ) -> None:  # fmt: skip
        self._arrivals = Arrivals(behaviour, catalogue, rate_per_s, seed, shaped=shaped, share=share)
        self._until = start_ts
        self._seam = Seam("traffic") if seam is None else seam  # an unarmed one is false
        self._ahead: deque[tuple[float, int, int]] = deque()
        self.failed = 0  # windows whose wrapper failed
        self._speed = speed
        self._test: LoadTest | None = None

    def take(self) -> tuple[float, int, int]:
        """(world time, user, session) of the next session to begin."""
        while not self._ahead:
            self._draw(self._until, self._until + WINDOW_S)
        return self._ahead.popleft()

    def due(self, now_ts: float) -> list[tuple[float, int, int]]:
        """All that begin by now_ts and were not handed out before. Draws no further than it must, so
        that what is put on the seam shows within WINDOW_S, after a `redraw` at once."""
        found = []
        while True:
            while self._ahead and self._ahead[0][0] <= now_ts:
                found.append(self._ahead.popleft())
            if self._until > now_ts:
                return found
            self._draw(self._until, self._until + WINDOW_S)

    def script_of(self, session: int) -> Script | None:
        """What is played in that session; None where a person does."""
        scripts = self._arrivals.scripts
        return scripts.get(session // _EXTRA) if scripts else None

    def next_ts(self) -> float:
        """World time at which to ask again: the next session's, or the end of what is drawn."""
        return self._ahead[0][0] if self._ahead else self._until

    def redraw(self, now_ts: float) -> None:
        """Draws anew what is ahead of now_ts: a wrapper was put on the seam or taken off."""
        self._ahead.clear()
        if self._until > now_ts:
            self._draw(now_ts, self._until)

    def test(self, test: LoadTest | None, now_ts: float) -> None:
        """From now on that load test, in the place of one that is under way; None ends it."""
        self._test = test
        self.redraw(now_ts)

    def _draw(self, start_ts: float, end_ts: float) -> None:
        call = Call(
            "traffic", "load", "arrivals", "draw", session=int(start_ts // WINDOW_S),
            payload=(start_ts, end_ts), attributes={"arrivals": self._arrivals},
        )  # fmt: skip
        drawn = self._through(call) if self._seam else self._arrivals.usual(start_ts, end_ts)
        if self._test is not None:
            window = self._test.within(start_ts, end_ts)
            drawn = drawn.with_(self._arrivals.tested(*window, self._test.rate_per_s / self._speed))
        rows = zip(drawn.ts.tolist(), drawn.user.tolist(), drawn.session.tolist(), strict=True)
        self._ahead.extend(rows)
        self._until = end_ts

    def _through(self, call: Call) -> Sessions:
        """What wrappers make of a window; the usual arrivals, and counted, where one of them fails."""
        try:
            drawn = self._seam.run_sync(call, lambda c: self._arrivals.usual(*c.payload))
        except SandboxError:
            drawn = None
        if isinstance(drawn, Sessions):
            return drawn
        self.failed += 1
        return self._arrivals.usual(*call.payload)
