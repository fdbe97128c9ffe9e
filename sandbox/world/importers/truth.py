"""From a fitted model to the ground truth of a world: the level of clicks, tastes, activity, hours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.streams import stream
from sandbox.world.importers.fit import Fitted
from sandbox.world.importers.levels import at_logged_level, at_set_levels
from sandbox.world.importers.source import Log
from sandbox.world.latent import Latent, Weights, hourly_profile

SESSION_GAP_S = 1_800.0  # idle time that ends a session
_PRIOR = 5.0  # interactions' worth of the average user in everyone's intent
_FIRST_HOURS = 240.0  # sessions' worth of the usual hours beside those of the log


def truth_of(fitted: Fitted, log: Log, catalogue: Catalogue, seed: int, weights: Weights) -> Latent:
    """The ground truth that a log supports; what it can't tell keeps its neutral value.

    The fit says how items compare for a user; how often people click at all it can't know, as a log
    of choices doesn't hold what was passed over. So levels are set: `UNIFORM_CTR` for a uniform
    policy, and logits shrunk, if need be, until the best possible policy gets `ORACLE_CTR`. Orders
    within a user stay as fitted. A log with negatives knows its level: there the shown slots get, under
    the world's own examination, the clicks that they got.
    """
    quality, known = item_quality(log, catalogue.n_items)
    spread = float(np.std(_pairs(fitted, seed))) or 1.0
    taste_gain = 0.6 / spread
    weights = replace(
        weights,
        click_quality=0.0,
        click_bait=0.0,
        value_taste=taste_gain,
        value_quality=weights.value_quality if known else 0.0,
        value_b0=-taste_gain * float(np.mean(_pairs(fitted, seed))),
    )
    latent = Latent.neutral(
        seed=seed,
        user_taste=fitted.taste,
        item_taste=fitted.item,
        item_topics=catalogue.item_topics,
        item_appeal=fitted.appeal - fitted.appeal.mean(),
        weights=weights,
        user_intent=intents(log, catalogue),
        item_quality=quality,
        item_duration_s=catalogue.item_duration_s,
        item_price=catalogue.item_price,
        user_rate=session_rates(log, catalogue.n_users),
        diurnal=hours(log),
    )
    if fitted.bias is not None:
        return at_logged_level(replace(latent, user_bias=fitted.bias - fitted.bias.mean()), log)
    return at_set_levels(latent)


def sessions(log: Log) -> np.ndarray:
    """int64 [n]: session of each row of a log in order of time, numbered by their first row.

    A session ends after SESSION_GAP_S without a row of its user.
    """
    order = np.lexsort((np.arange(len(log)), log.user))
    user, ts = log.user[order], log.ts[order]
    begins = np.ones(len(log), dtype=bool)
    begins[1:] = (user[1:] != user[:-1]) | (ts[1:] - ts[:-1] > SESSION_GAP_S)
    number = np.empty(len(log), dtype=np.int64)
    number[order] = np.cumsum(begins) - 1
    _, first, dense = np.unique(number, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.asarray(rank[dense])


def session_rates(log: Log, n_users: int) -> np.ndarray:
    """float32 [users], sessions per day over the days of the log, never 0."""
    days = max(1.0, float(log.ts[-1] - log.ts[0]) / DAY_S) if len(log) else 1.0
    _, first = np.unique(sessions(log), return_index=True)
    count = np.bincount(log.user[first], minlength=n_users)
    return np.asarray((count + 0.25) / days, dtype=np.float32)


def hours(log: Log) -> np.ndarray:
    """float32 [24], mean 1: how busy each hour (UTC) of the log's session starts is, smoothed. Where
    all times are midnights, the log knows days only, and the hours are the usual ones."""
    _, first = np.unique(sessions(log), return_index=True)
    hour = (log.ts[first] // 3_600 % 24).astype(np.int64)
    known = 1.0 if (log.ts % DAY_S).any() else 0.0
    count = known * np.bincount(hour, minlength=24) + _FIRST_HOURS / 24 * hourly_profile()
    smooth = (np.roll(count, 1) + 2 * count + np.roll(count, -1)) / 4
    return np.asarray(np.maximum(0.05, smooth / smooth.mean()), dtype=np.float32)


def intents(log: Log, catalogue: Catalogue) -> np.ndarray:
    """float32 [users, T]: topics of what each user chose, drawn towards the average, rows sum to 1."""
    topics, chosen = catalogue.item_topics.astype(np.float64), log.click
    sums = np.zeros((catalogue.n_users, topics.shape[1]))
    for slot in range(topics.shape[1]):
        sums[:, slot] = np.bincount(
            log.user[chosen], weights=topics[log.item[chosen], slot], minlength=catalogue.n_users
        )
    total = sums.sum(axis=0)
    average = total / total.sum() if total.sum() > 0 else np.full(len(total), 1 / len(total))
    sums += _PRIOR * average
    return np.asarray(sums / sums.sum(axis=1, keepdims=True), dtype=np.float32)


def item_quality(log: Log, n_items: int) -> tuple[np.ndarray, bool]:
    """float32 [items], mean value (rating) standardised, drawn to the mean where rated seldom; and
    whether the log has values that tell items apart."""
    rated = ~np.isnan(log.value)
    if not rated.any() or np.ptp(log.value[rated]) == 0:
        return np.zeros(n_items, dtype=np.float32), False
    value = log.value[rated].astype(np.float64)
    count = np.bincount(log.item[rated], minlength=n_items)
    sums = np.bincount(log.item[rated], weights=value - value.mean(), minlength=n_items)
    mean = sums / (count + _PRIOR)
    return (mean / (mean.std() + 1e-9)).astype(np.float32), True


def _pairs(fitted: Fitted, seed: int) -> np.ndarray:
    """Tastes of users for items, over random pairs."""
    rng = stream(seed, "import/pairs")
    user, item = (rng.integers(0, len(a), 20_000) for a in (fitted.taste, fitted.item))
    taste: np.ndarray = np.einsum("nd,nd->n", fitted.taste[user], fitted.item[item])
    return taste.astype(np.float64)
