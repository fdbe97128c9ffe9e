"""Offline metrics: full ranking for retrieval, AUC for the ranker. Never sampled negatives as a gate."""

from __future__ import annotations

import numpy as np

from sandbox.base.catalogue import CREATOR_GROUPS, Catalogue
from sandbox.pipeline.training_set import Joined
from sandbox.pipeline.two_tower import Pairs
from services.model.core import Ranker, TwoTower, encode_user, score

_AT = (10, 20, 50)


def auc(label: np.ndarray, value: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN where one class is absent."""
    positive = int(label.sum())
    negative = len(label) - positive
    if positive == 0 or negative == 0:
        return float("nan")
    _, inverse, count = np.unique(value, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[inverse]
    return float((rank[label].sum() - positive * (positive + 1) / 2) / (positive * negative))


def group_auc(label: np.ndarray, value: np.ndarray, group: np.ndarray) -> float:
    """AUC within each group that has both classes, averaged by the group's rows."""
    order = np.argsort(group, kind="stable")
    edges = np.flatnonzero(np.diff(group[order])) + 1
    total, weight = 0.0, 0
    for rows in np.split(order, edges):
        one = auc(label[rows], value[rows])
        if np.isfinite(one):
            total, weight = total + one * len(rows), weight + len(rows)
    return total / weight if weight else float("nan")


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """int64 [n, k]: columns of the k greatest, best first; ties go to the smaller column."""
    k = min(k, scores.shape[1])
    part = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    ranked = np.argsort(-np.take_along_axis(scores, part, 1), axis=1, kind="stable")
    return np.take_along_axis(part, ranked, 1)


def ranking_metrics(ranked: np.ndarray, relevant: list[np.ndarray]) -> dict[str, float]:
    """Means over users. ranked: int64 [users, k], best first; relevant: item ids per user, not empty.

    recall@k: share of the relevant found; ndcg@10 with binary gain against the best possible list.
    """
    hits = np.zeros(ranked.shape, bool)
    for row, items in enumerate(relevant):
        hits[row] = np.isin(ranked[row], items)
    n = np.array([len(items) for items in relevant])
    found = {f"recall@{k}": float(np.mean(hits[:, :k].sum(1) / n)) for k in _AT}
    discount = 1.0 / np.log2(np.arange(2, 12))
    best = np.cumsum(discount)[np.minimum(n, 10) - 1]
    ndcg = (hits[:, :10] * discount[: ranked.shape[1]]).sum(1) / best
    first = np.where(hits[:, :10].any(1), 1.0 / (hits[:, :10].argmax(1) + 1), 0.0)
    return {
        **found,
        "ndcg@10": float(ndcg.mean()),
        "mrr@10": float(first.mean()),
        "hit@10": float(hits[:, :10].any(1).mean()),
    }


def tower_metrics(model: TwoTower, vectors: np.ndarray, held: Pairs, n: int = 2000) -> dict[str, float]:
    """Share of held-out interactions among the 50 nearest items, for the first n of them."""
    if len(held.item) == 0:
        return {}
    rows = np.unique(np.linspace(0, len(held.item) - 1, min(n, len(held.item))).astype(int))
    queries = encode_user(model, held.user[rows], held.profile[rows], held.recent[rows])
    found = top_k(queries @ vectors.T, 50) == held.item[rows, None]
    return {"recall@50": float(found.any(1).mean())}


def ranker_metrics(model: Ranker, held: Joined, catalogue: Catalogue) -> dict[str, float]:
    """auc, gauc (by user) of the click over held-out rows, auc by creator group; and over rows at the first
    place logloss@1 and calibration@1 (clicks predicted over clicks)."""
    e = held.examples
    if len(e) == 0:
        return {}
    p = score(model, held.user, e.item, held.x)[:, 0].astype(np.float64).clip(1e-6, 1 - 1e-6)
    loss = -np.where(e.click, np.log(p), np.log1p(-p))
    # Scores are those of the first place, so only rows that stood there can be compared in level.
    first = np.where(e.position == 1, e.weight, 0.0)
    clicks = max(float((e.click * first).sum()), 1.0)
    group = catalogue.creator_group[catalogue.item_creator[e.item]]
    slices = {
        f"auc[creator_group={name}]": auc(e.click[group == code], p[group == code])
        for code, name in enumerate(CREATOR_GROUPS)
    }
    metrics = {
        "auc": auc(e.click, p),
        "gauc": group_auc(e.click, p, e.user),
        "logloss@1": float((loss * first).sum() / max(float(first.sum()), 1.0)),
        "calibration@1": float((p * first).sum() / clicks),
        **slices,
    }
    return {name: value for name, value in metrics.items() if np.isfinite(value)}
