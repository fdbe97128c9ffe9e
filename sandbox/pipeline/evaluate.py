"""Full-ranking evaluation of the served model classes beside popularity, ItemKNN and EASE.

What is learned from which part: baselines and two-tower are fitted to train, looked at on validation
(baselines pick their setting there), and fitted again to train + validation; the ranker of
`two_tower+ranker` learns from validation what the first two-tower proposed there. All items are
ranked, those of train + validation masked, and the test part is looked at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from sandbox.base.catalogue import Catalogue
from sandbox.base.features import Status
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.streams import seed_of
from sandbox.pipeline import baselines, ranker, two_tower
from sandbox.pipeline.baselines import Scorer
from sandbox.pipeline.evaluate_auc import evaluate_auc
from sandbox.pipeline.events import Log, Source, read_source
from sandbox.pipeline.features import Histories, snapshot
from sandbox.pipeline.metrics import ranking_metrics, top_k
from sandbox.pipeline.split import AUC, TEST, TRAIN, VALIDATION, Split, check_protocol, split
from sandbox.pipeline.training_set import Examples, Joined, recent_of
from sandbox.pipeline.two_tower import Pairs, TowerSettings
from services.model.core import N_PROFILE, Ranker, TwoTower, encode_items, encode_user, score
from services.ranking.core import INPUTS, Contract, assemble_rows

STACKED = ("stack.two_tower", "stack.two_tower_rank", "stack.itemknn", "stack.popularity")
N_CANDIDATES = 100
MAX_USERS = 2_000  # test users of a large world, evenly chosen: the error of a recall is then .01
_BATCH = 256


def evaluate(world_dir: Path, protocol: str, *, seed: int = 1, progress: ProgressFn = quiet) -> dict[str, Any]:
    """{protocol, world, test_users, rows: [{model, metrics}]}. Raises MODEL-004, WORLD-00x."""
    check_protocol(protocol)
    source = read_source(world_dir)
    if protocol in AUC:
        rows = evaluate_auc(source, protocol, seed=seed, progress=progress)
        return {"protocol": protocol, "world": source.manifest.name, "rows": rows}
    rows, n = _full_ranking(source, split(source.log, protocol, seed), seed, progress)
    if protocol == "P1":
        # The ranker by itself orders what is shown: its own figures are those of the AUC protocols.
        own = evaluate_auc(source, "random-auc", seed=seed, progress=progress, only_ranker=True)[0]
        by_time = evaluate_auc(source, "time-auc", seed=seed, progress=progress, only_ranker=True)[0]
        own["metrics"] |= {f"{k}_time": v for k, v in by_time["metrics"].items()}
        rows.append(own)
    return {"protocol": protocol, "world": source.manifest.name, "test_users": n, "rows": rows}


def _full_ranking(source: Source, parts: Split, seed: int, progress: ProgressFn) -> tuple[list[dict[str, Any]], int]:
    catalogue, log = source.catalogue, parts.log
    early, known = log.take(parts.part == TRAIN), log.take(parts.part != TEST)
    validate = _Question(early, log.take(parts.part == VALIDATION), catalogue)
    test = _Question(known, log.take(parts.part == TEST), catalogue)
    rows = []
    for name, settings in _baselines(catalogue.n_items).items():
        progress(name, 0.0)
        best = max(settings, key=lambda s: validate.ask(s(validate.matrix))["ndcg@10"])
        rows.append({"model": name, "metrics": test.ask(best(test.matrix))})
    tower_settings = _tower_settings(early)
    by_time = parts.by_time
    first = _Tower(early, catalogue, seed_of(seed, "first"), tower_settings, progress, by_time)
    model = _learn_to_rank(first, validate, seed, progress)
    second = _Tower(known, catalogue, seed_of(seed, "second"), tower_settings, progress, by_time)
    rows.append({"model": "two_tower", "metrics": test.ask(second.scores)})
    reranked = _Stack(second, test).reranked(model)
    rows.append({"model": "two_tower+ranker", "metrics": ranking_metrics(reranked, test.relevant)})
    return rows, len(test.users)


def _baselines(n_items: int) -> dict[str, list[Any]]:
    l2s = (100.0, 200.0, 400.0) if n_items <= 2_500 else (200.0,)
    knn = ((200, 20.0), (100, 10.0)) if n_items <= 2_500 else ((200, 20.0),)
    return {
        "popularity": [baselines.popularity],
        "itemknn": [lambda m, k=k, s=s: baselines.itemknn(m, k=k, shrink=s) for k, s in knn],
        "ease": [lambda m, l2=l2: baselines.ease(m, l2=l2) for l2 in l2s],
    }


def _tower_settings(log: Log) -> TowerSettings:
    """More epochs where users have many interactions: with few, ids are soon learned by heart."""
    per_user = len(log) / max(len(np.unique(log.user)), 1)
    return TowerSettings(epochs=15 if per_user > 30 else 4)


class _Question:
    """Users with what is known of them and what they chose next."""

    def __init__(self, known: Log, asked: Log, catalogue: Catalogue) -> None:
        self.known, self.catalogue = known, catalogue
        shape = (catalogue.n_users, catalogue.n_items)
        ones = np.ones(len(known), np.float32)
        self.matrix = sparse.csr_matrix((ones, (known.user, known.item)), shape)
        users = np.unique(asked.user)
        if len(users) > MAX_USERS:
            users = users[np.linspace(0, len(users) - 1, MAX_USERS).astype(int)]
        order = np.lexsort((asked.item, asked.user))
        begin = np.searchsorted(asked.user[order], users)
        end = np.searchsorted(asked.user[order], users, side="right")
        items = asked.item[order]
        self.users = users.astype(np.int64)
        self.relevant = [items[a:b] for a, b in zip(begin, end, strict=True)]

    def ranked(self, scorer: Scorer, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(items [users, k], best first; their scores), what is known masked."""
        found, value = [], []
        for at in range(0, len(self.users), _BATCH):
            users = self.users[at : at + _BATCH]
            scores = np.array(scorer(users), np.float32)
            seen = self.matrix[users].tocoo()
            scores[seen.row, seen.col] = -np.inf
            best = top_k(scores, k)
            found.append(best)
            value.append(np.take_along_axis(scores, best, 1))
        return np.concatenate(found), np.concatenate(value)

    def ask(self, scorer: Scorer) -> dict[str, float]:
        return ranking_metrics(self.ranked(scorer, 50)[0], self.relevant)


class _Tower:
    """A two-tower fitted to a log, with the features of the moment after it.

    by_time: recent items are inputs. A random split takes the test from between the training rows, so
    that what was clicked just before says much there and nothing at the end of the log: on ml-100k
    under P1 recall@50 was .46 with recent items and profile, .57 without. The profile is left out in
    either case, as one counted over the whole log holds the very row that is being learned.
    """

    def __init__(
        self, log: Log, catalogue: Catalogue, seed: int, settings: TowerSettings, progress: ProgressFn, by_time: bool
    ) -> None:
        end = float(log.ts[-1]) + 1.0
        self.shot = snapshot(log, catalogue, end, np.inf)
        histories = Histories(log, catalogue)
        users = np.arange(catalogue.n_users)
        latest = histories.last_event(users, np.full(len(users), end))
        moment = np.where(np.isfinite(latest), latest + 1.0, end)
        self.session = histories.session_rows(users, moment)
        self.log, self.catalogue = log, catalogue
        user, item = log.user.astype(np.int64), log.item.astype(np.int64)
        self.by_time = by_time
        recent = histories.recent(user, log.ts) if by_time else np.full((len(log), 1), -1)
        pairs = Pairs(user, item, np.zeros((len(log), N_PROFILE), np.float32), recent)
        self.model: TwoTower
        self.model, _ = two_tower.train(pairs, catalogue, seed=seed, settings=settings, progress=progress)
        self.vectors = encode_items(self.model)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """float32 [users, items]"""
        recent = recent_of(self.session[users]) if self.by_time else np.full((len(users), 1), -1)
        profile = np.zeros((len(users), N_PROFILE), np.float32)
        return np.asarray(encode_user(self.model, users, profile, recent) @ self.vectors.T)


@dataclass
class _Stack:
    """The candidates of a tower for a question, and the ranker's matrix for them."""

    tower: _Tower
    question: _Question

    def __post_init__(self) -> None:
        q, tower = self.question, self.tower
        self.items, self.values = q.ranked(tower.scores, N_CANDIDATES)
        near, counts = baselines.itemknn(q.matrix), np.asarray(q.matrix.sum(axis=0)).ravel()
        beside = [
            np.take_along_axis(near(q.users[at : at + _BATCH]), self.items[at : at + _BATCH], 1)
            for at in range(0, len(q.users), _BATCH)
        ]
        rank = np.broadcast_to(np.log1p(np.arange(self.items.shape[1])), self.items.shape)
        columns = (_scaled(self.values), rank, _scaled(np.concatenate(beside)), np.log1p(counts[self.items]))
        stacked = np.stack([column.ravel() for column in columns], 1)
        self.user = np.repeat(q.users, self.items.shape[1])
        item = self.items.ravel()
        status = np.full(len(item), Status.PRESENT, np.uint8)
        x = assemble_rows(
            tower.shot.profile, tower.session, tower.shot.stats[item], item, status,
            tower.catalogue, Contract("evaluation"), self.user,
        )  # fmt: skip
        self.x = np.concatenate([x, stacked], axis=1, dtype=np.float32)

    def reranked(self, model: Ranker) -> np.ndarray:
        """int64 [users, N_CANDIDATES]: the candidates, best first by the ranker."""
        p = score(model, self.user, self.items.ravel(), self.x)[:, 0].reshape(self.items.shape)
        return np.take_along_axis(self.items, np.argsort(-p, axis=1, kind="stable"), 1)


def _learn_to_rank(tower: _Tower, question: _Question, seed: int, progress: ProgressFn) -> Ranker:
    stack = _Stack(tower, question)
    chosen = np.concatenate([np.isin(items, own) for items, own in zip(stack.items, question.relevant, strict=True)])
    n, no = len(chosen), np.zeros(len(chosen), bool)
    examples = Examples(
        ts=np.zeros(n), user=stack.user, item=stack.items.ravel(), position=np.ones(n, np.int64),
        click=chosen, long_dwell=no, conversion=no, mature=no, weight=np.ones(n, np.float32),
        label_ts=np.zeros(n),
    )  # fmt: skip
    empty = np.zeros((n, 0), np.float32)
    joined = Joined(examples, stack.user, empty, empty, stack.x, np.zeros(n))
    # Ids say little here that the scores do not, and every id would be met in a handful of rows.
    settings = ranker.RankerSettings(epochs=4, batch=2048, learning_rate=2e-3, id_dropout=0.5)
    model, _ = ranker.train(
        joined, tower.catalogue, seed=seed, settings=replace(settings, id_decay=1.0),
        inputs=(*INPUTS, *STACKED), progress=progress,
    )  # fmt: skip
    return model


def _scaled(values: np.ndarray) -> np.ndarray:
    """Each row with mean 0 and spread 1, as the level of a score differs from user to user."""
    finite = np.where(np.isfinite(values), values, 0.0)
    centred = finite - finite.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-6))
