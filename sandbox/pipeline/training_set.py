"""From the log to what the models are fitted to, with the seams at which a fault may change it.

`Stages` names the steps that can be wrapped: each takes the output of the step before and returns
something of the same kind, so that whatever is trained behind it is really trained on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.features import ITEM_STATS, LONG_DWELL_S, N_RECENT, USER_SESSION, Status
from sandbox.base.streams import stream, uniforms
from sandbox.pipeline.events import Log
from sandbox.pipeline.features import WINDOW_S, Histories, Snapshot, snapshot
from services.ranking.core import INPUTS, Contract, assemble_rows

LABEL_WINDOW_H = 48.0  # a conversion counts when it comes this soon; half of all have come by 24 h
NEGATIVES = 4  # sampled for each interaction where the log has none
UNKNOWN_SHARE = 0.04  # of rows trained as if nothing were known of the user, so that the case is learned
_CHUNK = 65_536
_THREADS = 2  # numpy lets go of the interpreter where it moves much
_NONE: Mapping[float, Snapshot] = {}


@dataclass(frozen=True)
class Examples:
    """Rows to train on, by time. Labels are 0 or 1; weight: in the loss, 1 / sampling rate."""

    ts: np.ndarray  # float64 [n], world seconds
    user: np.ndarray  # int64 [n]
    item: np.ndarray  # int64 [n]
    position: np.ndarray  # int64 [n], from 1
    click: np.ndarray  # bool [n]
    long_dwell: np.ndarray  # bool [n]; in a world without dwell times: liked
    conversion: np.ndarray  # bool [n]
    mature: np.ndarray  # bool [n], the conversion label had its whole window
    weight: np.ndarray  # float32 [n]
    label_ts: np.ndarray  # float64 [n], when the last label was known

    def __len__(self) -> int:
        return len(self.ts)

    def take(self, rows: np.ndarray | slice) -> Examples:
        """The rows of a mask, of positions or, without a copy, of a slice."""
        if not isinstance(rows, slice) and rows.dtype == bool:
            rows = np.flatnonzero(rows)
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def digest(self) -> str:
        """A hash of all rows."""
        whole = hashlib.sha256()
        for f in fields(self):
            whole.update(np.ascontiguousarray(getattr(self, f.name)).tobytes())
        return whole.hexdigest()[:16]


def _last(ts: np.ndarray, days: float) -> slice:
    """Where the last days of ascending times begin (float64 [n], world seconds), to the end."""
    return slice(int(np.searchsorted(ts, ts[-1] - days * DAY_S)) if len(ts) else 0, None)


def _unchanged_log(log: Log) -> Log:
    return log


def _unchanged_examples(examples: Examples) -> Examples:
    return examples


@dataclass(frozen=True)
class Stages:
    """The steps of a training run that can be wrapped.

    log: what was read from the event log, before features and examples are made of it.
    training_set: the examples, before features are joined to them.
    key: what the wrapped stages do, for the cache of trained versions; empty where nothing is wrapped.
    """

    log: Callable[[Log], Log] = _unchanged_log
    training_set: Callable[[Examples], Examples] = _unchanged_examples
    key: str = ""


@dataclass(frozen=True)
class Sampling:
    """max_rows: of the ranker's training set. days: of history that it is taken from, the last ones."""

    max_rows: int = 700_000
    days: float = 14.0


@dataclass(frozen=True)
class Joined:
    """Examples with the features as they were served or would have been.

    user: int64 [n], -1 where the user is not to be known; profile f32 [n, 36]; recent int64 [n, 20];
    x: float32 [n, INPUTS]; as_of: float64 [n], time of the batch features.
    """

    examples: Examples
    user: np.ndarray
    profile: np.ndarray
    recent: np.ndarray
    x: np.ndarray = field(repr=False)
    as_of: np.ndarray = field(repr=False)


def examples_of(log: Log, until_ts: float, days: float = np.inf) -> Examples:
    """The rows of the log as examples. until_ts: what came later is not known, world seconds. days: before the last row;
    older ones are left out."""
    log = log.shown_before(until_ts)
    dwell_known = bool((log.known_ts("dwell") < until_ts).any())
    log = log.take(_last(log.ts, days)).before(until_ts)
    window = LABEL_WINDOW_H * 3600.0
    converted = log.converted_ts <= log.click_ts + window
    known = np.fmax(
        np.fmax(log.known_ts("click"), log.known_ts("dwell")), np.where(converted, log.known_ts("conversion"), np.nan)
    )
    last = np.fmax(known, log.known_ts(None))
    return Examples(
        ts=log.ts,
        user=log.user.astype(np.int64),
        item=log.item.astype(np.int64),
        position=log.position.astype(np.int64),
        click=log.clicked,
        long_dwell=(log.dwell_s >= LONG_DWELL_S) if dwell_known else log.liked,
        conversion=converted,
        mature=log.ts + window <= until_ts,
        weight=np.ones(len(log), np.float32),
        label_ts=last,
    )


def sampled(examples: Examples, sampling: Sampling, seed: int) -> Examples:
    """Every click, and as many of the other rows as fit into max_rows, weighted by their sampling rate."""
    recent = examples.take(_last(examples.ts, sampling.days))
    n_clicks = int(recent.click.sum())
    rest = len(recent) - n_clicks
    rate = min(1.0, max(sampling.max_rows - n_clicks, n_clicks) / max(rest, 1))
    kept = recent.click | (uniforms(seed, "negatives", np.arange(len(recent))) < rate)
    out = recent.take(kept)
    weight = np.where(out.click, 1.0, 1.0 / rate).astype(np.float32)
    return replace(out, weight=out.weight * weight)


def with_negatives(examples: Examples, n_items: int, seed: int, per: int = NEGATIVES) -> Examples:
    """Examples of a log that holds only what users chose, with `per` items each that they did not.

    Drawn by popularity^0.75 (Mikolov et al., NeurIPS 2013), never an item of the user's own.
    """
    popularity = np.bincount(examples.item, minlength=n_items).astype(np.float64) ** 0.75
    cumulative = np.cumsum(popularity / max(popularity.sum(), 1.0))
    n = len(examples) * per
    drawn = np.searchsorted(cumulative, stream(seed, "sampled negatives").random(n) * cumulative[-1])
    source = np.repeat(np.arange(len(examples)), per)
    own = np.unique(examples.user * n_items + examples.item)
    keys = examples.user[source] * n_items + drawn
    at = np.minimum(np.searchsorted(own, keys), max(len(own) - 1, 0))
    fresh = own[at] != keys
    source, drawn = source[fresh], drawn[fresh]
    none = np.zeros(len(source), bool)
    negatives = replace(examples.take(source), item=drawn, click=none, long_dwell=none, conversion=none)
    both = {f.name: np.concatenate([getattr(examples, f.name), getattr(negatives, f.name)]) for f in fields(Examples)}
    whole = Examples(**both)
    return whole.take(np.argsort(whole.ts, kind="stable"))


def join(
    examples: Examples,
    log: Log,
    catalogue: Catalogue,
    *,
    seed: int,
    has_negatives: bool = True,
    with_inputs: bool = True,
    taken: Mapping[float, Snapshot] = _NONE,
) -> Joined:
    """Features of each example as they were known at its time: batch features of the last snapshot
    before it, session features of the moment itself. Never a row's own outcome, nor a later one.

    has_negatives: False counts over the whole past instead of 28 days, as such logs span years.
    with_inputs: False leaves x empty, for the two-tower, which needs none. taken: snapshots of this log that
    are there already, by their time.
    """
    n = len(examples)
    histories = Histories(log, catalogue)
    hidden = uniforms(seed, "unknown user", np.arange(n)) < UNKNOWN_SHARE
    hidden |= ~catalogue.user_personalised[examples.user]
    profile = np.zeros((n, 36), np.float32)
    recent = np.full((n, N_RECENT), -1, np.int64)
    x = np.zeros((n if with_inputs else 0, len(INPUTS)), np.float32)
    as_of = np.zeros(n)
    contract = Contract("training")

    def fill(part: tuple[int, int, float]) -> None:
        start, end, ts = part
        shot = taken.get(ts) or snapshot(log, catalogue, ts, WINDOW_S if has_negatives else np.inf)
        for at in range(start, end, _CHUNK):
            rows = slice(at, min(at + _CHUNK, end))
            users, items = examples.user[rows], examples.item[rows]
            known = ~hidden[rows]
            profile[rows] = np.where(known[:, None], shot.profile[users], 0.0)
            session = histories.session_rows(users, examples.ts[rows])
            session[~known] = USER_SESSION.default_row
            recent[rows] = recent_of(session)
            as_of[rows] = ts
            if with_inputs:
                lost = uniforms(seed, "lost stats", np.arange(rows.start, rows.stop)) < 0.02
                stats = np.where(lost[:, None], ITEM_STATS.default, shot.stats[items])
                status = np.where(lost, Status.MISSING, Status.PRESENT).astype(np.uint8)
                x[rows] = assemble_rows(
                    profile[rows], session, stats.astype(np.float32), items, status, catalogue, contract
                )

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(fill, _slices(examples.ts, daily=has_negatives)))
    user = np.where(hidden, -1, examples.user)
    return Joined(examples, user, profile, recent, x, as_of)


def recent_of(session: np.ndarray) -> np.ndarray:
    """int64 [n, 20]: the recent items of rows of `user_session`."""
    first = USER_SESSION.columns.index("recent_00")
    return session[:, first : first + N_RECENT].astype(np.int64)


def _slices(ts: np.ndarray, *, daily: bool) -> list[tuple[int, int, float]]:
    """(start, end, snapshot time) of runs of rows that share a snapshot taken before all of them."""
    if len(ts) == 0:
        return []
    if daily:
        edges = np.arange(np.floor(ts[0] / DAY_S) * DAY_S, ts[-1] + DAY_S, DAY_S)
    else:
        edges = np.unique(ts[np.linspace(0, len(ts) - 1, 17).astype(int)[:-1]])
    starts = np.searchsorted(ts, edges)
    ends = np.append(starts[1:], len(ts))
    pairs = zip(starts, ends, edges, strict=True)
    return [(int(a), int(b), float(edge)) for a, b, edge in pairs if b > a]
