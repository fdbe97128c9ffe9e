"""How well a model does for whom: figures by slice, each with its support, or with why there is none.

A figure without support is no figure: a group without clicks has no rate of clicks found, not one of 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sandbox.base.catalogue import AGE_BANDS, CREATOR_GROUPS, GENDERS, REGIONS, Catalogue
from sandbox.pipeline.metrics import auc

LEAST = 10  # clicks, and rows without one, from which a figure is told
BINS = 10  # of the expected calibration error, of equal width
NEW_BELOW, TAIL_BELOW = np.log1p(30.0), np.log1p(50.0)  # impressions of 28 days: of a user, of an item


@dataclass(frozen=True)
class Judged:
    """Held-out rows and what a model says of them. click bool, p float64 (probability), weight float64; all [n]."""

    click: np.ndarray
    p: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Figure:
    """value: None where it cannot be told, and reason says why. n: rows, n_clicks: clicks among them."""

    slice: str
    metric: str
    value: float | None
    n: int
    n_clicks: int
    reason: str | None = None


def slices(
    catalogue: Catalogue, user: np.ndarray, item: np.ndarray, seen_log: np.ndarray, shown_log: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """(name, mask) of all rows and of each slice. user -1: unknown, and in none of the slices by user.

    seen_log, shown_log: log1p of the user's and the item's impressions in 28 days, as the model saw them.
    """
    yield "all", np.ones(len(user), bool)
    known = user >= 0
    for name, codes, words in (
        ("region", catalogue.user_region, REGIONS),
        ("age_band", catalogue.user_age_band, AGE_BANDS),
        ("gender", catalogue.user_gender, GENDERS),
    ):
        for code, word in enumerate(words):
            yield f"{name}={word}", known & (codes[np.maximum(user, 0)] == code)
    group = catalogue.creator_group[catalogue.item_creator[item]]
    for code, word in enumerate(CREATOR_GROUPS):
        yield f"creator_group={word}", group == code
    yield "new_user=true", known & (seen_log < NEW_BELOW)
    yield "long_tail=true", shown_log < TAIL_BELOW


def figures(name: str, rows: Judged, flagged: np.ndarray) -> list[Figure]:
    """auc; calibration (clicks predicted over clicks), its slope, the expected calibration error; the share of clicks
    found (tpr) and of the others left alone (specificity) among flagged rows; the share of exposure is the caller's."""
    n, n_clicks = len(rows.click), int(rows.click.sum())
    if why := unsupported(n, n_clicks):
        metrics = ("auc", "calibration", "calibration_slope", "ece", "tpr", "specificity")
        return [Figure(name, metric, None, n, n_clicks, why) for metric in metrics]
    true_rate, specificity = rates(rows.click, flagged)
    clicks = float((rows.click * rows.weight).sum())
    told = {
        "auc": auc(rows.click, rows.p),
        "calibration": float((rows.p * rows.weight).sum()) / clicks,
        "calibration_slope": slope(rows),
        "ece": ece(rows.click, rows.p, rows.weight),
        "tpr": true_rate,
        "specificity": specificity,
    }
    return [Figure(name, metric, value, n, n_clicks) for metric, value in told.items()]


def unsupported(n: int, n_clicks: int) -> str | None:
    """Why nothing can be told of so few; None where it can."""
    if n_clicks < LEAST:
        return f"not estimable ({n_clicks} positives)"
    if n - n_clicks < LEAST:
        return f"not estimable ({n - n_clicks} negatives)"
    return None


def rates(label: np.ndarray, flagged: np.ndarray) -> tuple[float, float]:
    """(TP / (TP + FN), TN / (TN + FP)); both classes must be there."""
    return float(flagged[label].mean()), float((~flagged[~label]).mean())


def ece(label: np.ndarray, p: np.ndarray, weight: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: by bins of equal width of p, the last one closed; empty bins count for nothing.
    Source: Naeini, Cooper, Hauskrecht, AAAI 2015."""
    at = np.minimum((p * bins).astype(int), bins - 1)
    mass = np.bincount(at, weight, bins)
    gap = np.abs(np.bincount(at, weight * label, bins) - np.bincount(at, weight * p, bins))
    return float(gap.sum() / mass.sum())


def slope(rows: Judged, steps: int = 25) -> float:
    """Of a logistic regression of the click on the logit of p: 1 where the model's spread is right, below it where it
    is too sure. Newton's method. Source: Cox, "Two further applications of a model for binary regression", 1958."""
    logit = np.log(rows.p) - np.log1p(-rows.p)
    x = np.stack([np.ones_like(logit), logit], 1)
    beta = np.array([0.0, 1.0])
    for _ in range(steps):
        q = 1.0 / (1.0 + np.exp(-x @ beta))
        hessian = (x * (rows.weight * q * (1 - q))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, x.T @ (rows.weight * (rows.click - q)))
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[1])
