"""The streamed rows of many users at once: what services.events.core makes of their events, as arrays.

`apply` gives, user by user, what `apply_events` gives for the impressions of one slate and then the
clicks on it, in order of time; a user's rows depend on that user's events alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.base.features import N_RECENT, N_SEEN, N_TOPICS, SEGMENTS, USER_SEEN, USER_SESSION, segment_codes
from services.events.core import MAX_COUNT
from services.gateway.stages import UserRows

_RECENT_FROM = USER_SESSION.columns.index("recent_00")
_NO_IDS = np.zeros(0, np.int64)


@dataclass
class StreamedRows:
    """services.events.core.UserState of n users as arrays; row i is one user. ts, seen_ts: world seconds,
    0 where there is no row. recent: int64 [n, N_RECENT], seen: int64 [n, N_SEEN]; newest first, -1 pads."""

    session: np.ndarray
    ts: np.ndarray
    seen_ts: np.ndarray
    impressions: np.ndarray
    clicks: np.ndarray
    last_click_ts: np.ndarray
    recent: np.ndarray
    seen: np.ndarray

    @classmethod
    def none(cls, n: int) -> StreamedRows:
        return cls(
            np.full(n, -1, np.int64), np.zeros(n), np.zeros(n), np.zeros(n, np.int64),
            np.zeros(n, np.int64), np.zeros(n), np.full((n, N_RECENT), -1, np.int64),
            np.full((n, N_SEEN), -1, np.int64),
        )  # fmt: skip

    def restore(
        self, at: np.ndarray, session: np.ndarray, ts: np.ndarray, seen: np.ndarray, forgotten: np.ndarray
    ) -> None:
        """Rows as a snapshot of the store holds them, for places `at` [m]. ts: float64 [m], of both views.
        forgotten: item ids that are to be left out, as if they had never been shown."""
        self.ts[at] = self.seen_ts[at] = ts
        self.impressions[at] = np.rint(np.expm1(session[:, 0])).astype(np.int64)
        self.clicks[at] = np.rint(np.expm1(session[:, 1])).astype(np.int64)
        self.last_click_ts[at] = session[:, 2].astype(np.float64) * 3600.0
        recent = session[:, _RECENT_FROM : _RECENT_FROM + N_RECENT].astype(np.int64)
        self.recent[at] = _pushed(np.where(np.isin(recent, forgotten), -1, recent), N_RECENT)
        shown = seen.astype(np.int64)
        self.seen[at] = _pushed(np.where(np.isin(shown, forgotten), -1, shown), N_SEEN)

    def apply(
        self, at: np.ndarray, session: np.ndarray, ts: np.ndarray, item: np.ndarray, click_ts: np.ndarray
    ) -> None:
        """One slate each for the places `at` [m], none twice.

        session: int64 [m], >= 0; ts: float64 [m], when it was shown. item: int64 [m, k], -1 pads.
        click_ts: float64 [m, k], NaN where it was not clicked, not descending along a row.
        """
        real = item >= 0
        already = (self.seen[at][:, None, :] == item[:, :, None]).any(axis=2) | ~real
        news = real.any(axis=1) & ~((ts <= self.seen_ts[at]) & already.all(axis=1))
        who, new = at[news], item[news]
        self.seen[who] = _pushed(np.hstack([new[:, ::-1], self.seen[who]]), N_SEEN)
        self._enter(who, session[news])
        n_shown = (new >= 0).sum(axis=1)
        self.impressions[who] = np.minimum(self.impressions[who] + n_shown, MAX_COUNT)
        self.seen_ts[who] = np.maximum(self.seen_ts[who], ts[news])
        self.ts[who] = np.maximum(self.ts[who], ts[news])
        for column in np.flatnonzero((~np.isnan(click_ts) & real).any(axis=0)):
            hit = ~np.isnan(click_ts[:, column]) & real[:, column]
            self._click(at[hit], session[hit], click_ts[hit, column], item[hit, column])

    def _click(self, who: np.ndarray, session: np.ndarray, ts: np.ndarray, item: np.ndarray) -> None:
        again = (ts <= self.ts[who]) & (self.recent[who] == item[:, None]).any(axis=1)
        who, session, ts, item = who[~again], session[~again], ts[~again], item[~again]
        self.recent[who, 1:] = self.recent[who, :-1]
        self.recent[who, 0] = item
        self._enter(who, session)
        self.clicks[who] = np.minimum(self.clicks[who] + 1, MAX_COUNT)
        self.last_click_ts[who] = np.maximum(self.last_click_ts[who], ts)
        self.ts[who] = np.maximum(self.ts[who], ts)

    def _enter(self, who: np.ndarray, session: np.ndarray) -> None:
        """The counters are of the visit in progress: another one begins them anew."""
        other = who[session != self.session[who]]
        self.impressions[other] = self.clicks[other] = 0
        self.session[who] = session

    def session_rows(self, at: np.ndarray, item_topics: np.ndarray) -> np.ndarray:
        """float32 [m, columns of user_session], as UserState.session_row gives them."""
        recent = self.recent[at]
        n = (recent >= 0).sum(axis=1)
        topics = np.where((recent >= 0)[:, :, None], item_topics[np.maximum(recent, 0)], np.float32(0))
        rows = np.empty((len(at), len(USER_SESSION.columns)), np.float32)
        rows[:, 0], rows[:, 1] = np.log1p(self.impressions[at]), np.log1p(self.clicks[at])
        rows[:, 2] = self.last_click_ts[at] / 3600.0
        rows[:, _RECENT_FROM : _RECENT_FROM + N_RECENT] = recent
        rows[:, -N_TOPICS:] = topics.sum(axis=1) / np.maximum(n, 1)[:, None].astype(np.float32)
        return rows

    def served(self, at: np.ndarray, now: np.ndarray, profile: np.ndarray, item_topics: np.ndarray) -> list[UserRows]:
        """What the gateway gets for users who may be known. now: float64 [m], world seconds; profile:
        float32 [m, columns of user_profile]. A streamed row past its view's maximum age is not served."""
        rows = self.session_rows(at, item_topics)
        age, seen_age = now - self.ts[at], now - self.seen_ts[at]
        rows[age > USER_SESSION.max_age_s] = USER_SESSION.default_row
        recent = rows[:, _RECENT_FROM : _RECENT_FROM + N_RECENT].astype(np.int64)
        n_recent, n_seen = (recent >= 0).sum(axis=1), (self.seen[at] >= 0).sum(axis=1)
        n_seen[seen_age > USER_SEEN.max_age_s] = 0
        segment = segment_codes(profile[:, 0])
        return [
            UserRows(
                profile[i],
                rows[i],
                recent[i, : n_recent[i]],
                self.seen[place, : n_seen[i]] if n_seen[i] else _NO_IDS,
                SEGMENTS[int(segment[i])],
            )
            for i, place in enumerate(at.tolist())
        ]


def _pushed(items: np.ndarray, width: int) -> np.ndarray:
    """int64 [m, width]: the real items of each row in their order; -1 pads."""
    if not (items[:, :width] < 0).any():
        return items[:, :width]
    order = np.argsort(items < 0, axis=1, kind="stable")[:, :width]
    return np.asarray(np.take_along_axis(items, order, axis=1))
