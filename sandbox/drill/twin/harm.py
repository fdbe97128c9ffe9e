"""What a run came to, counted from its ledger: totals, per world minute and per segment. Pure.

Harm is a difference of two runs, positive where the first is worse: for goods the second run's value
minus the first's, for bads the reverse. Conversions and revenue count at the click that they follow
from, however late they mature; a visit counts when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from sandbox.base.catalogue import REGIONS
from sandbox.base.features import SEGMENTS
from sandbox.drill.scenario.harms import ALL, GOODS, METRICS, SEGMENT_EXPOSURE, SLOW
from sandbox.virtual.people.ledger import SATISFIED_FROM, Ledger, Requests, Visits

MINUTE_S = 60.0
TAIL = 0.06  # share of the slowest requests among which a reweighted 99th percentile is looked for
LEAST_TAIL = 2_000  # requests; with no more of them, all are looked at

_OF_REQUESTS = ("clicks", "conversions", "revenue", "policy_breaches", SLOW, "n_items", "shown_b", "shown_slice")
_OF_VISITS = ("satisfied_sessions", "users_lost")
_SUMS = (*_OF_REQUESTS, *_OF_VISITS)


def harm(metric: str, run: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How much worse `run` is than `other`: values of one metric, of any one shape."""
    return np.asarray(other - run if metric in GOODS else run - other)


@dataclass(frozen=True)
class Counts:
    """A run's window by user, so that users can be weighted: what a bootstrap needs.

    users: int64 [u], ascending. sums: float64 [u, sums]. latency_ms: float64 [n], descending.
    latency_user: int64 [n], positions in `users`.
    """

    users: np.ndarray
    sums: np.ndarray
    latency_ms: np.ndarray
    latency_user: np.ndarray

    def values(self, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Every metric of ALL, float64 [b], for b weightings of the users (None: each counts once, b = 1).

        weights: float64 [b, u]. exposure_gap: share of impressions in points that group B does not get,
        so that in a difference of runs it says how far B's share fell; segment_exposure: the same of the
        slice watched. NaN for p99_ms and both of them of a run that answered nothing.
        """
        w = np.ones((1, len(self.users))) if weights is None else weights
        sums = dict(zip(_SUMS, (w @ self.sums).T, strict=True))
        return {
            **{name: sums[name] for name in ALL if name in sums},
            "p99_ms": self._p99(w),
            "exposure_gap": _gap(sums["shown_b"], sums["n_items"]),
            SEGMENT_EXPOSURE: _gap(sums["shown_slice"], sums["n_items"]),
        }

    def _p99(self, w: np.ndarray) -> np.ndarray:
        """The greatest latency below which 99 % of the weight lies."""
        n = len(self.latency_ms)
        if n == 0:
            return np.full(len(w), np.nan)
        tail = n if n <= LEAST_TAIL else max(LEAST_TAIL, int(TAIL * n))
        allowed = 0.01 * (w @ np.bincount(self.latency_user, minlength=len(self.users)))
        above = np.cumsum(w[:, self.latency_user[:tail]], axis=1)
        at = np.minimum((above <= allowed[:, None]).sum(axis=1), tail - 1)
        return np.asarray(self.latency_ms[at])


def counts(window: Ledger, users: np.ndarray, slow_ms: float = np.inf) -> Counts:
    """A ledger that is cut to its window, by user. users: int64, ascending, with all that occur in it."""
    r = window.requests
    asked, visited = np.searchsorted(users, r.user), np.searchsorted(users, window.visits.user)
    of_requests, of_visits = _request_columns(r, slow_ms), _visit_columns(window.visits)
    sums = [np.bincount(asked, of_requests[name], len(users)) for name in _OF_REQUESTS]
    sums += [np.bincount(visited, of_visits[name], len(users)) for name in _OF_VISITS]
    order = np.argsort(-r.latency_ms, kind="stable")
    return Counts(users, np.stack(sums, axis=1), r.latency_ms[order], asked[order])


def users_of(*ledgers: Ledger) -> np.ndarray:
    """int64, ascending: who asked or left in any of them."""
    parts = [a for ledger in ledgers for a in (ledger.requests.user, ledger.visits.user)]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def totals(ledger: Ledger, start_ts: float, end_ts: float, slow_ms: float = np.inf) -> dict[str, float]:
    """Every metric of ALL over [start_ts, end_ts), as `Counts.values` counts them."""
    window = ledger.between(start_ts, end_ts)
    values = counts(window, users_of(window), slow_ms).values()
    return {name: float(values[name][0]) for name in ALL}


def per_minute(ledger: Ledger, start_ts: float, end_ts: float) -> dict[str, np.ndarray]:
    """METRICS in each world minute since the run began, float64 [minutes], from the minute of start_ts to
    that of end_ts; only what lies in [start_ts, end_ts) counts, so that sums add up to `totals`. NaN for
    p99_ms and exposure_gap of a minute without answers."""
    window = ledger.between(start_ts, end_ts)
    minutes = minutes_of(ledger.began_ts, start_ts, end_ts)
    n, zero = len(minutes), ledger.began_ts + minutes[0] * MINUTE_S

    def minute_of(ts: np.ndarray) -> np.ndarray:
        return np.clip(((ts - zero) / MINUTE_S).astype(np.int64), 0, n - 1)

    asked, ended = minute_of(window.requests.ts), minute_of(window.visits.ts)
    sums = {name: np.bincount(asked, column, n) for name, column in _request_columns(window.requests, np.inf).items()}
    sums |= {name: np.bincount(ended, column, n) for name, column in _visit_columns(window.visits).items()}
    latency_ms, p99 = window.requests.latency_ms, np.full(n, np.nan)
    order = np.lexsort((latency_ms, asked))
    size = np.bincount(asked, minlength=n)
    last = np.cumsum(size)
    some = size > 0
    p99[some] = latency_ms[order][(last - 1 - (0.01 * size).astype(np.int64))[some]]
    gap = _gap(sums["shown_b"], sums["n_items"])
    return {name: {"p99_ms": p99, "exposure_gap": gap}.get(name, sums.get(name, gap)) for name in METRICS}


def minutes_of(began_ts: float, start_ts: float, end_ts: float) -> np.ndarray:
    """int64: numbers of the world minutes since began_ts that [start_ts, end_ts) touches, at least one."""
    first = int((start_ts - began_ts) // MINUTE_S)
    return np.arange(first, max(first + 1, int(-(-(end_ts - began_ts) // MINUTE_S))))


def by_segment(ledgers: Sequence[Ledger]) -> dict[str, tuple[Ledger, ...]]:
    """Several runs of one world cut by kind of user: "region=EU", "segment=heavy" ("new" without a
    history) and so on, only those that occur. A user is of the kind that its first request says."""
    users = users_of(*ledgers)
    user = np.concatenate([ledger.requests.user for ledger in ledgers])
    asked, first = np.unique(user, return_index=True)
    found = {}
    for column, names in (("region", REGIONS), ("segment", SEGMENTS)):
        codes = np.concatenate([getattr(ledger.requests, column) for ledger in ledgers])
        code_of = np.full(len(users), -2, np.int64)  # only left here, asked before: of no kind
        code_of[np.searchsorted(users, asked)] = codes[first]
        for code in np.unique(code_of[code_of >= -1]):
            name = names[code] if code >= 0 else "new"
            kind = users[code_of == code]
            found[f"{column}={name}"] = tuple(_of_users(ledger, kind) for ledger in ledgers)
    return found


def of_slice(ledgers: Sequence[Ledger]) -> tuple[Ledger, ...] | None:
    """Several runs of one world cut to the users of the slice that was watched; None where that is everyone."""
    if all(ledger.requests.in_slice.all() for ledger in ledgers):
        return None
    inside = [ledger.requests.user[ledger.requests.in_slice] for ledger in ledgers]
    users = np.unique(np.concatenate(inside))
    return tuple(_of_users(ledger, users) for ledger in ledgers)


def affected_users(run: Ledger, other: Ledger, start_ts: float, end_ts: float) -> int:
    """Users to whom something else happened in `run`: an answer that came to other clicks, revenue or
    breaches, was degraded or one fifth and 10 ms slower, or that has no counterpart."""
    a, b = run.between(start_ts, end_ts).requests, other.between(start_ts, end_ts).requests
    key_a, key_b = _places(a), _places(b)
    common, in_a, in_b = np.intersect1d(key_a, key_b, return_indices=True)
    differs = np.zeros(len(common), bool)
    for name in ("clicks", "revenue", "breaches", "degraded"):
        differs |= getattr(a, name)[in_a] != getattr(b, name)[in_b]
    slower = a.latency_ms[in_a] - b.latency_ms[in_b]
    differs |= slower > np.maximum(10.0, 0.2 * b.latency_ms[in_b])
    alone = np.concatenate([a.user[~np.isin(key_a, common)], b.user[~np.isin(key_b, common)]])
    return len(np.unique(np.concatenate([a.user[in_a][differs], alone])))


def _places(r: Requests) -> np.ndarray:
    """Which request of which visit: one structured key each."""
    keys = np.zeros(len(r.user), [("user", np.int64), ("session", np.int64), ("depth", np.int64)])
    keys["user"], keys["session"], keys["depth"] = r.user, r.session, r.depth
    return keys


def _gap(shown_b: np.ndarray, n_items: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(100.0 * (1.0 - shown_b / n_items))


def _request_columns(r: Requests, slow_ms: float) -> dict[str, np.ndarray]:
    columns = (r.clicks, r.conversions, r.revenue, r.breaches, r.latency_ms > slow_ms, r.n_items, r.shown_b, r.shown_slice)  # fmt: skip
    return {n: c.astype(np.float64) for n, c in zip(_OF_REQUESTS, columns, strict=True)}


def _visit_columns(v: Visits) -> dict[str, np.ndarray]:
    """A user who left twice is lost, if at all, the second time."""
    last = np.zeros(len(v.user), bool)
    _, from_behind = np.unique(v.user[::-1], return_index=True)
    last[len(v.user) - 1 - from_behind] = True
    satisfied = (v.satisfaction >= SATISFIED_FROM).astype(np.float64)
    return {"satisfied_sessions": satisfied, "users_lost": np.where(last, v.lost, 0.0)}


def _of_users(ledger: Ledger, users: np.ndarray) -> Ledger:
    asked, left = np.isin(ledger.requests.user, users), np.isin(ledger.visits.user, users)
    return Ledger(
        ledger.began_ts,
        Requests(**{f.name: getattr(ledger.requests, f.name)[asked] for f in fields(Requests)}),
        Visits(**{f.name: getattr(ledger.visits, f.name)[left] for f in fields(Visits)}),
    )
