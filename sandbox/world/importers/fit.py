"""The behaviour model fitted to a log, so that a world can answer to slates that nobody was shown.

Logistic matrix factorisation (Johnson, "Logistic matrix factorization for implicit feedback data",
2014) with item intercepts and a content term, so that rare items lean on their topics:

    logit(u, i) = c + appeal[i] + topic_appeal @ topics[i] + taste[u] @ (free[i] + topics[i] @ by_topic)

Where the log holds only choices, each is set against items drawn uniformly for the same user.
Minibatch Adam in numpy; sums over a batch's rows by sparse products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sandbox.base.streams import stream, uniforms
from sandbox.world.importers.source import Log

HELD_OUT = 0.1  # share of the interactions kept from the fit, for the report
CALIBRATION = 0.05  # share kept for the slope and level of the logits
MAX_ROWS = 600_000  # choices fitted to; of a longer log a sample
_NEGATIVES = 4  # drawn per choice
_BATCH, _MAX_BATCHES = 16_384, 40  # rows a step at least, steps an epoch at most
_LEAST_FOR_SLOPE = 200  # rows
_LATE_TRIES = 8  # draws for an item that the user did not choose


@dataclass(frozen=True)
class Settings:
    """dim: width of tastes. epochs: passes over the rows. rate: Adam's step. l2: per row met."""

    dim: int = 24
    epochs: int = 12
    rate: float = 0.02
    l2_taste: float = 0.004
    l2_item: float = 0.004
    l2_appeal: float = 0.002


@dataclass
class Fitted:
    """taste: float32 [U, D]; item: float32 [I, D], content term included; appeal: float32 [I], c
    and content term included. quality: how well it does on held-out interactions."""

    taste: np.ndarray
    item: np.ndarray
    appeal: np.ndarray
    quality: dict[str, float]
    bias: np.ndarray | None = None  # float32 [U], logits, where the log tells of it

    def scale(self, slope: float, level: float) -> None:
        self.item = np.asarray(self.item * slope, dtype=np.float32)
        self.appeal = np.asarray(self.appeal * slope + level, dtype=np.float32)

    def logit(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        taste: np.ndarray = np.einsum("nd,nd->n", self.taste[user], self.item[item])
        return np.asarray(self.appeal[item] + taste)


@dataclass
class Examples:
    user: np.ndarray
    item: np.ndarray
    label: np.ndarray  # float32, 1 chosen

    def __len__(self) -> int:
        return len(self.user)


def fit_choices(log: Log, n_users: int, topics: np.ndarray, seed: int, settings: Settings = Settings()) -> Fitted:
    """Fit to a log of choices. topics: float32 [items, T].

    Held out: a tenth of the interactions, each against one item that its user never chose (uniform).
    The slope and level of the logits are then set on another twentieth (Platt, 1999). The model
    reported on is the one returned. O(epochs * rows * dim).
    """
    n_items = len(topics)
    pairs = np.unique(log.user * n_items + log.item)  # a pair counts once
    if len(pairs) > MAX_ROWS:
        pairs = pairs[uniforms(seed, "import/sample", pairs) < MAX_ROWS / len(pairs)]
    luck = uniforms(seed, "import/held-out", pairs)
    known = np.bincount(pairs[luck >= HELD_OUT + CALIBRATION] // n_items, minlength=n_users) > 0
    luck[~known[pairs // n_items]] = 1.0  # nothing can be said of a user never seen
    held, calibrating = luck < HELD_OUT, (luck >= HELD_OUT) & (luck < HELD_OUT + CALIBRATION)
    model = _Model(n_users, topics, seed, settings)
    train = pairs[~held & ~calibrating]
    rng = stream(seed, "import/fit")
    for epoch in range(settings.epochs):
        model.epoch(
            _against_random(train, pairs, n_items, _NEGATIVES, rng),
            rng,
            settings.rate * (1 - epoch / settings.epochs) + 1e-4,
        )
    fitted = model.fitted()
    apart = _against_random(pairs[calibrating], pairs, n_items, _NEGATIVES, stream(seed, "import/slope"))
    if len(apart) >= _LEAST_FOR_SLOPE and 0 < apart.label.mean() < 1:
        slope, level = logistic_line(fitted.logit(apart.user, apart.item), apart.label)
        fitted.scale(max(0.1, slope), level)
    test = _against_random(pairs[held], pairs, n_items, 1, stream(seed, "import/test"))
    popularity = np.bincount(train % n_items, minlength=n_items)
    fitted.quality = held_out_quality(fitted, test, popularity, _NEGATIVES)
    fitted.quality["held_out_rows"] = float(held.sum())
    fitted.quality["fit_rows"] = float(len(train))
    return fitted


def fit_labelled(log: Log, n_users: int, topics: np.ndarray, seed: int, settings: Settings = Settings()) -> Fitted:
    """Fit to a log that holds what was shown and not clicked, too: its rows are the examples.

    The same model and the same shares held out and kept for the slope as in `fit_choices`. O(epochs *
    rows * dim).
    """
    n_items, rows = len(topics), np.arange(len(log))
    if len(log) > MAX_ROWS:
        rows = rows[uniforms(seed, "import/sample", rows) < MAX_ROWS / len(log)]
    luck = uniforms(seed, "import/held-out", rows)
    held, calibrating = luck < HELD_OUT, (luck >= HELD_OUT) & (luck < HELD_OUT + CALIBRATION)
    train, apart, test = (
        Examples(log.user[part], log.item[part], log.click[part].astype(np.float32))
        for part in (rows[~held & ~calibrating], rows[calibrating], rows[held])
    )
    model, rng = _Model(n_users, topics, seed, settings), stream(seed, "import/fit")
    for epoch in range(settings.epochs):
        model.epoch(train, rng, settings.rate * (1 - epoch / settings.epochs) + 1e-4)
    fitted = model.fitted()
    if len(apart) >= _LEAST_FOR_SLOPE and 0 < apart.label.mean() < 1:
        slope, level = logistic_line(fitted.logit(apart.user, apart.item), apart.label)
        fitted.scale(max(0.1, slope), level)
    clicks = np.bincount(train.item, weights=train.label, minlength=n_items)
    fitted.quality = held_out_quality(fitted, test, clicks, 1)
    fitted.quality |= {
        "held_out_rows": float(len(test)),
        "fit_rows": float(len(train)),
        "ctr_logged": float(log.click.mean()),
    }
    fitted.bias = np.zeros(n_users, dtype=np.float32)  # the level is the log's own
    return fitted


def held_out_quality(fitted: Fitted, test: Examples, popularity: np.ndarray, negatives: int) -> dict[str, float]:
    """AUC and log-loss beside popularity, and the calibration slope (1 is perfect).

    Both scores are shifted for the share of choices in the test, which is higher than in the fit;
    popularity is given the best slope and level there are, so that it's a fair opponent.
    """
    if len(test) == 0 or test.label.min() == test.label.max():
        return {}
    shift = np.log(negatives) if negatives > 1 else 0.0
    ours = fitted.logit(test.user, test.item).astype(np.float64) + shift
    theirs = np.log1p(popularity[test.item].astype(np.float64))
    slope, _ = logistic_line(ours, test.label)
    pop_slope, pop_level = logistic_line(theirs, test.label)
    return {
        "auc": auc(ours, test.label),
        "auc_popularity": auc(theirs, test.label),
        "log_loss": log_loss(ours, test.label),
        "log_loss_popularity": log_loss(pop_slope * theirs + pop_level, test.label),
        "calibration_slope": slope,
    }


class _Model:
    def __init__(self, n_users: int, topics: np.ndarray, seed: int, settings: Settings) -> None:
        rng, d = stream(seed, "import/start"), settings.dim
        self.settings, self.topics = settings, topics.astype(np.float32)
        n_items, n_topics = topics.shape
        self.p = {
            "taste": rng.normal(0, 0.1, (n_users, d)).astype(np.float32),
            "free": rng.normal(0, 0.1, (n_items, d)).astype(np.float32),
            "by_topic": rng.normal(0, 0.1, (n_topics, d)).astype(np.float32),
            "appeal": np.zeros((n_items, 1), np.float32),
            "topic_appeal": np.zeros((n_topics, 1), np.float32),
            "c": np.full((1, 1), -1.0, np.float32),
        }
        self.m = {name: np.zeros_like(a) for name, a in self.p.items()}
        self.v = {name: np.zeros_like(a) for name, a in self.p.items()}
        self.step = 0

    def item(self) -> np.ndarray:
        return self.p["free"] + self.topics @ self.p["by_topic"]

    def appeal(self) -> np.ndarray:
        whole = self.p["appeal"] + self.topics @ self.p["topic_appeal"] + self.p["c"]
        return np.asarray(whole[:, 0])

    def fitted(self) -> Fitted:
        return Fitted(self.p["taste"].copy(), self.item(), self.appeal(), {})

    def epoch(self, rows: Examples, rng: np.random.Generator, rate: float) -> None:
        order = rng.permutation(len(rows))
        size = max(_BATCH, -(-len(order) // _MAX_BATCHES))
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            self._adam(self._gradient(rows.user[batch], rows.item[batch], rows.label[batch]), rate)

    def _gradient(self, user: np.ndarray, item: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
        """Mean gradient of the batch's log-loss, each row carrying the L2 of what it touches."""
        s, n = self.settings, len(user)
        by_user, by_item = _selector(user, len(self.p["taste"])), _selector(item, len(self.topics))
        taste, items = self.p["taste"][user], self.item()[item]
        error = sigmoid(self.appeal()[item] + np.einsum("nd,nd->n", taste, items)) - label
        per_item = by_item @ (error[:, None] * taste)
        count_u, count_i = (np.asarray(m.sum(axis=1)).reshape(-1, 1) for m in (by_user, by_item))
        level = by_item @ error[:, None]
        gradient = {
            "taste": by_user @ (error[:, None] * items) + s.l2_taste * count_u * self.p["taste"],
            "free": per_item + s.l2_item * count_i * self.p["free"],
            "by_topic": self.topics.T @ per_item + s.l2_item * self.p["by_topic"],
            "appeal": level + s.l2_appeal * count_i * self.p["appeal"],
            "topic_appeal": self.topics.T @ level + s.l2_appeal * self.p["topic_appeal"],
            "c": level.sum(axis=0, keepdims=True),
        }
        return {name: g / n for name, g in gradient.items()}

    def _adam(self, gradient: dict[str, np.ndarray], rate: float) -> None:
        """Kingma and Ba, ICLR 2015, with their constants."""
        self.step += 1
        for name, g in gradient.items():
            self.m[name] += 0.1 * (g - self.m[name])
            self.v[name] += 0.001 * (g * g - self.v[name])
            up = self.m[name] / (1 - 0.9**self.step)
            self.p[name] -= rate * up / (np.sqrt(self.v[name] / (1 - 0.999**self.step)) + 1e-8)


def _selector(index: np.ndarray, n: int) -> sparse.csr_array:
    """float32 [n, rows]: row index[r] of the result sums the rows r."""
    ones = np.ones(len(index), np.float32)
    return sparse.csc_array((ones, index, np.arange(len(index) + 1)), shape=(n, len(index))).tocsr()


def _against_random(
    chosen: np.ndarray, all_chosen: np.ndarray, n_items: int, per: int, rng: np.random.Generator
) -> Examples:
    """The pairs (user * n_items + item) as positives, and `per` items each that the user never chose.

    all_chosen: sorted. A user who chose nearly everything may get a chosen one: it is left out.
    """
    user = np.repeat(chosen // n_items, per)
    item = rng.integers(0, n_items, len(user))
    again = np.arange(len(user))
    for _ in range(_LATE_TRIES):
        again = again[_among(user[again] * n_items + item[again], all_chosen)]
        if len(again) == 0:
            break
        item[again] = rng.integers(0, n_items, len(again))
    fine = np.ones(len(user), dtype=bool)
    fine[again[_among(user[again] * n_items + item[again], all_chosen)]] = False
    label = np.concatenate([np.ones(len(chosen)), np.zeros(fine.sum())]).astype(np.float32)
    return Examples(
        np.concatenate([chosen // n_items, user[fine]]), np.concatenate([chosen % n_items, item[fine]]), label
    )


def _among(wanted: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.asarray(ordered[place] == wanted)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Chance that a positive scores above a negative; ties count half. NaN with one class only."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive = label > 0.5
    p, n = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - p * (p + 1) / 2) / (p * n)) if p and n else float("nan")


def log_loss(logit: np.ndarray, label: np.ndarray) -> float:
    """Mean negative log-likelihood, nats."""
    return float(np.mean(np.logaddexp(0, logit) - label * logit))


def logistic_line(x: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Slope and level of the logistic regression of the label on x, by Newton's method."""
    design = np.stack([x, np.ones_like(x)], axis=1)
    beta = np.zeros(2)
    for _ in range(50):
        p = sigmoid(design @ beta)
        weight = np.maximum(p * (1 - p), 1e-9)
        hessian = (design * weight[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (label - p))
        beta += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[0]), float(beta[1])
