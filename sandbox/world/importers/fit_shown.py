"""The behaviour model fitted to a log that holds what was shown and not chosen, too.

Such logs have few clicks, so the model is small: a ridge logistic regression on the item, the traits
of the user, the position, and whether the user had clicked the item before.

    logit(u, i, k) = c + appeal[i] + bias[u] + before * liked_before(u, i) + a position's level

The position's level is not kept: the world has its own examination of positions.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import minimize

from sandbox.base.streams import uniforms
from sandbox.world.importers.fit import Fitted, auc, log_loss, logistic_line, sigmoid
from sandbox.world.importers.source import Source

FOLDS = 10
_L2 = 4.0
_L2_POSITION = 1.0


def fit_shown(source: Source, seed: int) -> Fitted:
    """Fit to every row; the report is of rows left out, in ten folds, each row once.

    Few clicks make a single tenth too small to tell anything, hence the folds. With user tastes: one
    dimension per item, set where the user had clicked it before.
    """
    log, n_items, n_users = source.log, len(source.items), len(source.users)
    design = _Design(source)
    label = log.click.astype(np.float64)
    fold = (FOLDS * uniforms(seed, "import/fold", np.arange(len(log)))).astype(np.int64)
    ours, theirs = np.zeros(len(log)), np.zeros(len(log))
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        ours[test] = design.rows[test] @ design.fit(train, label)
        clicks = np.bincount(log.item[train], weights=label[train], minlength=n_items)
        theirs[test] = np.log1p(clicks)[log.item[test]]
    weights = design.fit(np.ones(len(log), bool), label)
    appeal, bias, before = design.parts(weights)
    taste = np.zeros((n_users, n_items), dtype=np.float32)
    taste[source.liked_before[:, 0], source.liked_before[:, 1]] = before
    pop_slope, pop_level = logistic_line(theirs, label)
    quality = {
        "auc": auc(ours, label),
        "auc_popularity": auc(theirs, label),
        "auc_se": _auc_error(auc(ours, label), label),
        "log_loss": log_loss(ours, label),
        "log_loss_popularity": log_loss(pop_slope * theirs + pop_level, label),
        "calibration_slope": logistic_line(ours, label)[0],
        "held_out_rows": float(len(log)),
        "fit_rows": float(len(log)),
        "ctr_logged": float(label.mean()),
    }
    return Fitted(taste, np.eye(n_items, dtype=np.float32), appeal, quality, bias)


class _Design:
    """Rows of the regression: item, traits, position, liked before, anything liked before, 1."""

    def __init__(self, source: Source) -> None:
        log, n = source.log, len(source.log)
        self.n_items, self.traits = len(source.items), source.traits
        self.n_traits = int(source.traits.max(initial=-1)) + 1
        wide = self.n_items
        pairs = source.liked_before[:, 0] * wide + source.liked_before[:, 1]
        self.active = np.isin(np.arange(len(source.users)), source.liked_before[:, 0])
        n_positions = int(log.position.max(initial=0)) + 1
        blocks = [
            _one_hot(log.item, self.n_items),
            *(_one_hot(codes, self.n_traits) for codes in source.traits[log.user].T),
            _one_hot(log.position.astype(np.int64), n_positions),
            np.isin(log.user * wide + log.item, pairs)[:, None].astype(float),
            self.active[log.user][:, None].astype(float),
            np.ones((n, 1)),
        ]
        traits = blocks[1 : 1 + source.traits.shape[1]]
        self.rows = sparse.hstack(
            [blocks[0], sum(traits[1:], traits[0]) if traits else np.zeros((n, 0)), *blocks[1 + len(traits) :]]
        ).tocsr()
        self.at_position = self.n_items + (self.n_traits if traits else 0)
        self.ridge = np.full(self.rows.shape[1], _L2)
        self.ridge[self.at_position : self.at_position + n_positions] = _L2_POSITION
        self.ridge[-1] = 0.0

    def fit(self, chosen: np.ndarray, label: np.ndarray) -> np.ndarray:
        """float64 [columns]: the ridge logistic regression of the chosen rows."""
        rows, y = self.rows[chosen], label[chosen]
        start = np.zeros(rows.shape[1])
        rate = np.clip(y.mean(), 1e-6, 1 - 1e-6)
        start[-1] = np.log(rate / (1 - rate))

        def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
            z = rows @ w
            gradient = rows.T @ (sigmoid(z) - y) + self.ridge * w
            return float(np.sum(np.logaddexp(0, z) - y * z) + w @ (self.ridge * w) / 2), gradient

        return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)

    def parts(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """appeal float32 [items] with the constant, bias float32 [users], gain of liked before."""
        by_trait = w[self.n_items : self.at_position]
        bias = by_trait[self.traits].sum(axis=1) if self.traits.size else np.zeros(len(self.active))
        bias = bias + w[-2] * self.active
        return (w[: self.n_items] + w[-1]).astype(np.float32), bias.astype(np.float32), float(w[-3])


def _one_hot(codes: np.ndarray, n: int) -> sparse.csr_array:
    rows = np.arange(len(codes))
    return sparse.csr_array((np.ones(len(codes)), (rows, codes)), shape=(len(codes), n))


def _auc_error(value: float, label: np.ndarray) -> float:
    """Standard error of an AUC. Source: Hanley and McNeil, Radiology 143, 1982."""
    p, n = float(label.sum()), float(len(label) - label.sum())
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    spread = value * (1 - value) + (p - 1) * (q1 - value**2) + (n - 1) * (q2 - value**2)
    return float(np.sqrt(max(0.0, spread) / (p * n))) if p and n else float("nan")
