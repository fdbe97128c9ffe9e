"""Offline features of users and items as of a time: what the batch job writes to the online store,
and what training joins to its rows. Nothing here may look past the time that it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.features import (
    ITEM_STATS,
    LONG_DWELL_S,
    N_RECENT,
    N_SEEN,
    N_TOPICS,
    RATE_SMOOTHING,
    TOPIC_SMOOTHING,
    USER_PROFILE,
    USER_SESSION,
)
from sandbox.pipeline.events import Log

WINDOW_S = 28 * DAY_S
_MATURITY = np.array([0, 13, 16, 18])


@dataclass(frozen=True)
class Snapshot:
    """Batch features as of `ts`. profile: float32 [users, 36]; stats: float32 [items, 16]."""

    ts: float
    profile: np.ndarray
    stats: np.ndarray


def snapshot(log: Log, catalogue: Catalogue, ts: float, window_s: float = WINDOW_S) -> Snapshot:
    """user_profile and item_stats from what was known at `ts`, over the window before it.

    log: may reach past `ts`; the rest is not looked at. window_s: world seconds.
    """
    shown = log.take(slice(int(np.searchsorted(log.ts, ts - window_s)), None)).shown_before(ts)
    # Of most rows nothing came: only the few others are copied to leave out what was known later.
    told = shown.take(shown.clicked | shown.hidden).before(ts)
    clicks = told.take(told.clicked)
    profile = _profile(shown, clicks, catalogue, ts)
    return Snapshot(ts, profile, _stats(shown, clicks, told.item[told.hidden], catalogue, ts))


def _profile(past: Log, clicks: Log, catalogue: Catalogue, ts: float) -> np.ndarray:
    """past: shown rows, of which nothing else is to be read; clicks: those of them that were clicked, as known at ts."""
    n = catalogue.n_users
    shown, clicked = _count(past.user, n), _count(clicks.user, n)
    last = np.full(n, -np.inf)
    last[past.user] = past.ts  # rows are sorted by time: the latest is written last
    topics = _topic_sums(clicks, catalogue, n)
    long = clicks.take(clicks.dwell_s >= LONG_DWELL_S)
    bought = clicks.take(~np.isnan(clicks.converted_ts))
    columns = {
        "impressions_28d_log": np.log1p(shown),
        "clicks_28d_log": np.log1p(clicked),
        "ctr_28d": _rate(clicked, shown),
        "long_dwell_rate_28d": _rate(_count(long.user, n), clicked),
        "conversion_rate_28d": _rate(_count(bought.user, n), clicked),
        "days_since_last": np.minimum((ts - last) / DAY_S, 28.0),
        "tenure_days_log": np.log1p(np.maximum(ts - catalogue.user_created_ts, 0.0) / DAY_S),
        "age_band_ord": catalogue.user_age_band,
        "gender_f": catalogue.user_gender == 1,
        "gender_m": catalogue.user_gender == 2,
        "region_id": catalogue.user_region,
        "language_id": catalogue.user_language,
    }
    mass = topics.sum(axis=1, keepdims=True)
    shares = topics / (mass + TOPIC_SMOOTHING)
    columns |= {f"topic_{t:02d}": shares[:, t] for t in range(N_TOPICS)}
    return np.stack([columns[c] for c in USER_PROFILE.columns], 1).astype(np.float32)


def _stats(past: Log, clicks: Log, hidden: np.ndarray, catalogue: Catalogue, ts: float) -> np.ndarray:
    """As of `_profile`. hidden: int [n], items that were hidden, once for each time."""
    n, creator = catalogue.n_items, catalogue.item_creator
    today, clicked_today = (rows.item[int(np.searchsorted(rows.ts, ts - DAY_S)) :] for rows in (past, clicks))
    shown, clicked = _count(past.item, n), _count(clicks.item, n)
    dwelt = clicks.take(~np.isnan(clicks.dwell_s))
    dwell_sum = np.bincount(dwelt.item, weights=dwelt.dwell_s, minlength=n)
    long = clicks.take(clicks.dwell_s >= LONG_DWELL_S)
    bought = clicks.take(~np.isnan(clicks.converted_ts))
    n_creators = len(catalogue.creator_group)
    by_creator = _rate(
        np.bincount(creator, clicked, minlength=n_creators), np.bincount(creator, shown, minlength=n_creators)
    )
    columns = {
        "impressions_log": np.log1p(shown),
        "clicks_log": np.log1p(clicked),
        "ctr_28d": _rate(clicked, shown),
        "ctr_24h": _rate(_count(clicked_today, n), _count(today, n)),
        "long_dwell_rate": _rate(_count(long.item, n), clicked),
        "like_rate": _rate(_count(clicks.item[clicks.liked], n), clicked),
        "hide_rate": _rate(_count(hidden, n), shown),
        "conversion_rate": _rate(_count(bought.item, n), clicked),
        "dwell_mean_log": np.log1p(dwell_sum / np.maximum(_count(dwelt.item, n), 1.0)),
        "age_h_log": np.log1p(np.maximum(ts - catalogue.item_published_ts, 0.0) / 3600.0),
        "duration_log": np.log1p(catalogue.item_duration_s),
        "price_log": np.log1p(catalogue.item_price),
        "creator_followers_log": np.log1p(catalogue.creator_followers[creator]),
        "creator_ctr": by_creator[creator],
        "maturity_ord": np.searchsorted(_MATURITY, catalogue.item_maturity),
        "sens_score": catalogue.item_sens_score,
    }
    return np.stack([columns[c] for c in ITEM_STATS.columns], 1).astype(np.float32)


class Histories:
    """Every user's clicks and impressions in the order in which they were known, to be asked as of any moment: what
    happened before it and was known later is not there, as it was not in the store."""

    def __init__(self, log: Log, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        clicks = log.take(log.clicked)
        self._clicks, order = _timeline(clicks.user, clicks.known_ts("click"), catalogue.n_users)
        self.item, self._click_ts = clicks.item[order].astype(np.int64), clicks.click_ts[order]
        self._click_runs = _Runs(clicks.user[order], clicks.session[order])
        topics = catalogue.item_topics[self.item].astype(np.float64)
        self._topics = np.concatenate([np.zeros((1, N_TOPICS)), np.cumsum(topics, axis=0)])
        self._shown, order = _timeline(log.user, log.known_ts(None), catalogue.n_users)
        self.shown_item, self.shown_session = log.item[order], log.session[order]
        self._shown_runs = _Runs(log.user[order], self.shown_session)

    def recent(self, user: np.ndarray, ts: np.ndarray, n: int = N_RECENT) -> np.ndarray:
        """int64 [m, n]: items clicked before ts, newest first, -1 where there are no more."""
        end, start = self._clicks.until(user, ts), self._clicks.start[user]
        at = end[:, None] - 1 - np.arange(n)
        return np.where(at >= start[:, None], self._safe(self.item, at), -1)

    def seen(self, user: np.ndarray, ts: np.ndarray) -> np.ndarray:
        """int64 [m, N_SEEN]: items shown before ts, newest first, -1 where there are no more."""
        end, start = self._shown.until(user, ts), self._shown.start[user]
        at = end[:, None] - 1 - np.arange(N_SEEN)
        return np.where(at >= start[:, None], self._safe(self.shown_item, at).astype(np.int64), -1)

    def last_event(self, user: np.ndarray, ts: np.ndarray) -> np.ndarray:
        """float64 [m]: when the latest impression or click before ts was known, -inf where there is none."""
        latest = np.full(len(user), -np.inf)
        for line in (self._shown, self._clicks):
            end = line.until(user, ts)
            there = end > line.start[user]
            latest[there] = np.maximum(latest[there], line.ts(end[there] - 1))
        return latest

    def session_rows(self, user: np.ndarray, ts: np.ndarray) -> np.ndarray:
        """Rows of `user_session`, float32 [m, 47], as the stream processor has them just before ts.

        The view's maximum age holds as in serving: a user who was away longer gets the default row.
        """
        latest = self.last_event(user, ts)
        fresh = ts - latest <= USER_SESSION.max_age_s
        recent = self.recent(user, ts)
        n = (recent >= 0).sum(1)
        end = self._clicks.until(user, ts)
        sums = self._topics[end] - self._topics[np.maximum(end - N_RECENT, self._clicks.start[user])]
        last_click = np.where(n > 0, self._safe(self._click_ts, end - 1) / 3600.0, 0.0)
        shown_end = self._shown.until(user, ts)
        there = shown_end > self._shown.start[user]
        session = np.where(there, self._safe(self.shown_session, shown_end - 1), -1)
        rows = np.concatenate(
            [
                np.log1p(self._shown_runs.until(shown_end, session, self._shown.start[user]))[:, None],
                np.log1p(self._click_runs.until(end, session, self._clicks.start[user]))[:, None],
                last_click[:, None],
                recent,
                sums / np.maximum(n, 1)[:, None],
            ],
            axis=1,
        ).astype(np.float32)
        rows[~fresh] = USER_SESSION.default_row
        return rows

    @staticmethod
    def _safe(values: np.ndarray, at: np.ndarray) -> np.ndarray:
        """values[at], anything where `at` points outside: the caller masks those."""
        if len(values) == 0:
            return np.zeros(at.shape, values.dtype)
        return np.asarray(values[np.clip(at, 0, len(values) - 1)])


class _Timeline:
    """Entries sorted by (user, time). start: int64 [users + 1], where each user's begin.

    user: int [n]; rank: int [n], of each entry's time among `times` (float64, ascending, none twice).
    """

    def __init__(self, user: np.ndarray, rank: np.ndarray, times: np.ndarray, n_users: int) -> None:
        self.start = np.searchsorted(user, np.arange(n_users + 1))
        # One sorted key per entry: user in the whole part, rank of the time in the fraction's place.
        self._times, self._scale = times, len(times) + 1
        self._key = user.astype(np.int64) * self._scale + rank

    def ts(self, at: np.ndarray) -> np.ndarray:
        """float64 [m]: times of the entries at these places."""
        return np.asarray(self._times[self._key[at] % self._scale])

    def until(self, user: np.ndarray, ts: np.ndarray) -> np.ndarray:
        """int64 [m]: position after the user's last entry strictly before ts."""
        rank = np.searchsorted(self._times, ts)
        return np.asarray(np.searchsorted(self._key, user.astype(np.int64) * self._scale + rank))


def _timeline(user: np.ndarray, ts: np.ndarray, n_users: int) -> tuple[_Timeline, np.ndarray]:
    """The timeline of entries in any order, and int64 [n]: which of them stands at each of its places."""
    rank: np.ndarray
    if (ts[1:] >= ts[:-1]).all():
        # As where all was known at once: to sort millions of times takes several times as much as they do.
        new = np.ones(len(ts), bool)
        new[1:] = ts[1:] != ts[:-1]
        times, rank = ts[new], np.cumsum(new, dtype=np.int32) - 1
    else:
        times, rank = np.unique(ts, return_inverse=True)
    order = np.lexsort((rank, user))
    return _Timeline(user[order], rank[order], times, n_users), order


class _Runs:
    """Entries of a timeline that belong to one visit and lie side by side."""

    def __init__(self, user: np.ndarray, session: np.ndarray) -> None:
        n = len(session)
        begins = np.ones(n, bool)
        begins[1:] = (session[1:] != session[:-1]) | (user[1:] != user[:-1])
        self._begin = np.maximum.accumulate(np.where(begins, np.arange(n, dtype=np.int32), np.int32(0)))
        self._session = session

    def until(self, end: np.ndarray, session: np.ndarray, start: np.ndarray) -> np.ndarray:
        """int64 [m]: how many entries from `start` on that end just before `end` belong to `session`."""
        if len(self._session) == 0:
            return np.zeros(len(end), np.int64)
        last = np.maximum(end - 1, 0)
        same = (end > start) & (self._session[last] == session)
        return np.where(same, end - self._begin[last], 0)


def _count(ids: np.ndarray, n: int) -> np.ndarray:
    return np.asarray(np.bincount(ids, minlength=n), np.float64)


def _rate(hits: np.ndarray, tries: np.ndarray) -> np.ndarray:
    overall = float(hits.sum()) / max(float(tries.sum()), 1.0)
    return (hits + RATE_SMOOTHING * overall) / (tries + RATE_SMOOTHING)


def _topic_sums(clicks: Log, catalogue: Catalogue, n_users: int) -> np.ndarray:
    ones = np.ones(len(clicks))
    matrix = sparse.csr_matrix((ones, (clicks.user, clicks.item)), (n_users, catalogue.n_items))
    return np.asarray(matrix @ catalogue.item_topics.astype(np.float64))
