"""How well models tell what was clicked (or liked) from what was not, among rows that were shown.

In a log of ratings the question is which of the rated items are liked, r >= 4; everything that is
known of a row's user and item then comes from other folds of the training part, or from before its
time, never from the row itself. Above .90 such an AUC is not a good model but a leak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from sandbox.base.catalogue import Catalogue
from sandbox.base.features import USER_SESSION, Status
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.streams import uniforms
from sandbox.pipeline import baselines, ranker, training_set
from sandbox.pipeline.build import take
from sandbox.pipeline.events import Log, Source
from sandbox.pipeline.features import snapshot
from sandbox.pipeline.metrics import auc, group_auc
from sandbox.pipeline.ranker import RankerSettings
from sandbox.pipeline.split import TEST, TRAIN, VALIDATION, random_parts, time_parts
from sandbox.pipeline.training_set import Examples, Joined
from services.model.core import score
from services.ranking.core import INPUTS, Contract, assemble_rows

_FOLDS = 8
_SLICES = 24
_MAX_ROWS = 300_000
_RATINGS = (  # the validation part picks one
    RankerSettings(epochs=4, batch=1024, learning_rate=3e-3, weight_decay=0.1, id_decay=0.6),
    RankerSettings(epochs=6, batch=1024, learning_rate=4e-3, weight_decay=0.1, id_decay=1.5),
)


def evaluate_auc(
    source: Source, protocol: str, *, seed: int, progress: ProgressFn = quiet, only_ranker: bool = False
) -> list[dict[str, Any]]:
    """Rows {model, metrics: {auc, gauc}} of the ranker and, unless only_ranker, of the baselines."""
    joined = (_shown if source.manifest.has_negatives else _rated)(source, protocol, seed)
    n = len(joined.examples)
    part = random_parts(n, seed) if protocol == "random-auc" else time_parts(n)
    train, test = take(joined, part != TEST), take(joined, part == TEST)
    offered = (RankerSettings(),) if source.manifest.has_negatives else _RATINGS
    settings = _best(offered, joined, part, source.catalogue, seed)
    model, _ = ranker.train(train, source.catalogue, seed=seed, settings=settings, progress=progress)
    e = test.examples
    rows = [_row("ranker", e, score(model, test.user, e.item, test.x)[:, 0])]
    if only_ranker:
        return rows
    past = train.examples.take(train.examples.click)
    shape = (source.catalogue.n_users, source.catalogue.n_items)
    matrix = sparse.csr_matrix((np.ones(len(past), np.float32), (past.user, past.item)), shape)
    matrix.data[:] = 1.0
    fitted = {
        "popularity": baselines.popularity(matrix),
        "itemknn": baselines.itemknn(matrix),
        "ease": baselines.ease(matrix, l2=200.0),
    }
    return [*(_row(name, e, _of_pairs(f, e)) for name, f in fitted.items()), *rows]


def _best(
    offered: tuple[RankerSettings, ...], joined: Joined, part: np.ndarray, catalogue: Catalogue, seed: int
) -> RankerSettings:
    """The settings with the highest AUC on the validation part after learning from the training part."""
    if len(offered) == 1:
        return offered[0]
    train, held = take(joined, part == TRAIN), take(joined, part == VALIDATION)

    def reached(settings: RankerSettings) -> float:
        model, _ = ranker.train(train, catalogue, seed=seed, settings=settings)
        return auc(held.examples.click, score(model, held.user, held.examples.item, held.x)[:, 0])

    return max(offered, key=reached)


def _row(model: str, e: Examples, value: np.ndarray) -> dict[str, Any]:
    return {"model": model, "metrics": {"auc": auc(e.click, value), "gauc": group_auc(e.click, value, e.user)}}


def _of_pairs(scorer: baselines.Scorer, e: Examples) -> np.ndarray:
    """The scorer's values for the rows' own items, user by user in batches."""
    value = np.zeros(len(e), np.float32)
    order = np.argsort(e.user, kind="stable")
    for at in range(0, len(order), 4096):
        rows = order[at : at + 4096]
        users, back = np.unique(e.user[rows], return_inverse=True)
        value[rows] = scorer(users)[back, e.item[rows]]
    return value


def _shown(source: Source, protocol: str, seed: int) -> Joined:
    """Impressions of the last days with the features of their time."""
    examples = training_set.examples_of(source.log, source.manifest.history_end_ts)
    sampling = training_set.Sampling(max_rows=_MAX_ROWS)
    examples = training_set.sampled(examples, sampling, seed)
    return training_set.join(examples, source.log, source.catalogue, seed=seed)


def _rated(source: Source, protocol: str, seed: int) -> Joined:
    """Rated items, liked or not, with features counted over the training part's other folds."""
    log = source.log
    liked = replace(log, clicked=log.liked, click_ts=np.where(log.liked, log.ts, np.nan))
    n, end = len(log), float(log.ts[-1]) + 1.0
    x, user = np.zeros((n, len(INPUTS)), np.float32), log.user.astype(np.int64)
    by_time = protocol == "time-auc"
    for rows, others, ts in (_as_they_came if by_time else _in_folds)(liked, seed):
        x[rows] = _inputs(others, log, rows, source.catalogue, ts)
    if by_time:
        # A user first seen in the test is nobody to the model, and must be met as such.
        user[~np.isin(user, user[time_parts(n) != TEST])] = -1
    examples = replace(training_set.examples_of(liked, end), long_dwell=np.zeros(n, bool), ts=log.ts)
    empty = np.zeros((n, 0), np.float32)
    return Joined(examples, user, empty, empty, x, np.full(n, end))


def _in_folds(liked: Log, seed: int) -> Iterator[tuple[np.ndarray, Log, float]]:
    """(rows, the log that their features are counted over, the time of those): for a training row all
    folds but its own, for a test row the whole training part."""
    n, end = len(liked), float(liked.ts[-1]) + 1.0
    test = random_parts(n, seed) == TEST
    drawn = (uniforms(seed, "fold", np.arange(n)) * _FOLDS).astype(np.int64)
    fold = np.where(test, _FOLDS, drawn)
    for k in range(_FOLDS + 1):
        yield np.flatnonzero(fold == k), liked.take((fold != k) & ~test), end


def _as_they_came(liked: Log, seed: int) -> Iterator[tuple[np.ndarray, Log, float]]:
    """As `_in_folds`, by time: features as of the start of the row's slice of the log, and for the
    whole test as of the end of the training part."""
    n = len(liked)
    cut = int(np.searchsorted(time_parts(n), TEST))
    edges = np.unique(np.append(np.linspace(0, cut, _SLICES + 1).astype(int), n))
    for start, stop in pairwise(edges):
        yield np.arange(start, stop), liked.take(slice(0, int(start))), float(liked.ts[start])


def _inputs(others: Log, log: Log, rows: np.ndarray, catalogue: Catalogue, end: float) -> np.ndarray:
    shot = snapshot(others, catalogue, end, np.inf)
    item, user = log.item[rows].astype(np.int64), log.user[rows].astype(np.int64)
    session = np.tile(USER_SESSION.default_row, (len(rows), 1))
    status = np.full(len(rows), Status.PRESENT, np.uint8)
    return assemble_rows(shot.profile[user], session, shot.stats[item], item, status, catalogue, Contract("evaluation"))
