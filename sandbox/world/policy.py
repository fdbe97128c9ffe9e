"""The policy that served before our time: noisy popularity, some taste, a few slots at random.

It made the logged history, and with it the bias that every model trained on that history inherits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from sandbox.base.catalogue import LANGUAGES, REGIONS
from sandbox.base.features import N_TOPICS
from sandbox.world.items import Items
from sandbox.world.population import Users
from sandbox.world.presets import SLATE

DRAWS = 30  # candidates drawn for a slate of ten, before what may not be shown falls away
POPULARITY_POWER = 0.6  # of recent clicks in the weight of an item
POPULARITY_NOISE = 0.6  # log sd of the daily noise on weights
PRIOR_CLICKS = 2.0
KEEP = 0.85  # share of the click counts kept from one day to the next
TASTE_SHARE = 0.8  # of candidates drawn by topic, for users who consented
FOREIGN_SHARE = 0.25  # of candidates in a language not the user's that are kept
_ADULT_FROM = 2  # first age band (18-24) whose users count as grown up; unknown counts as minor


@dataclass(frozen=True)
class Slates:
    """item: int32 [n, SLATE], -1 pads at the end; propensity: float32 [n, SLATE], NaN if not random."""

    item: np.ndarray
    propensity: np.ndarray


class LegacyPolicy:
    """State of the policy: discounted clicks per item, and today's distributions."""

    def __init__(self, users: Users, items: Items, random_share: float) -> None:
        self.users, self.items, self.random_share = users, items, random_share
        n_items = len(items.creator)
        self.clicks = np.zeros(n_items)
        self._user_class = users.region.astype(np.int64) * 2 + (users.age_band >= _ADULT_FROM)
        grown_up = np.arange(2 * len(REGIONS)) % 2
        region = np.arange(2 * len(REGIONS)) // 2
        rights = (items.regions[None, :] >> region[:, None]) & 1
        age_limit = np.where(grown_up == 1, 99, 15)  # a minor of unknown age may be 13 to 17
        self._may = (rights == 1) & (items.maturity[None, :] <= age_limit[:, None])
        wide = np.hstack([users.theta * TASTE_SHARE, np.full((len(users.theta), 1), 1 - TASTE_SHARE)])
        wide[~users.personalised] = np.eye(N_TOPICS + 1)[N_TOPICS]
        self._mix_cdf = np.cumsum(wide, axis=1).astype(np.float32)
        self._log_weight = np.zeros(n_items)

    def open_day(self, rng: Generator, now: float) -> None:
        """Draw today's noise and rebuild the distributions. now: world seconds, start of the day."""
        self.clicks *= KEEP
        noise = rng.normal(0, POPULARITY_NOISE, len(self.clicks))
        self._log_weight = POPULARITY_POWER * np.log(self.clicks + PRIOR_CLICKS) + noise
        there = self.items.published_ts <= now
        weight = np.where(there, np.exp(self._log_weight), 0.0)
        # One row per topic, and a last one for all of them: cdf of row r lies in (r, r + 1].
        rows = np.vstack([self.items.topics.T * weight, weight[None, :]]).cumsum(axis=1)
        total = np.maximum(rows[:, -1:], 1e-300)
        self._flat = (rows / total + np.arange(N_TOPICS + 1)[:, None]).ravel()
        self._eligible = self._may & there[None, :]
        self._n_eligible = self._eligible.sum(axis=1)

    def slates(self, rng: Generator, user: np.ndarray, shown: np.ndarray) -> Slates:
        """One slate for each user [n]; nothing of shown int32 [n, s] (-1 pads) comes again."""
        n = len(user)
        ask = rng.random((n, DRAWS), dtype=np.float32)
        row = (self._mix_cdf[user][:, None, :] < ask[:, :, None]).sum(axis=2)
        row = np.minimum(row, N_TOPICS)
        place = np.searchsorted(self._flat, row + rng.random((n, DRAWS)), side="right")
        item = np.minimum(place - row * len(self.clicks), len(self.clicks) - 1).astype(np.int32)

        fits = self._eligible[self._user_class[user][:, None], item]
        tongue = self.items.language[item]
        spoken = (tongue == self.users.language[user][:, None]) | (tongue == LANGUAGES.index("en"))
        fits &= spoken | (rng.random((n, DRAWS), dtype=np.float32) < FOREIGN_SHARE)
        fits &= ~_among(item, shown) & _first(item)
        fits &= np.cumsum(fits, axis=1) <= SLATE

        # The more popular first, with some noise: position and popularity go together in the log.
        score = self._log_weight[item] + rng.gumbel(0, 0.6, (n, DRAWS))
        order = np.argsort(np.where(fits, -score, np.inf), axis=1, kind="stable")[:, :SLATE]
        slate = np.take_along_axis(np.where(fits, item, -1), order, axis=1)
        return self._randomise(rng, user, slate, shown)

    def _randomise(self, rng: Generator, user: np.ndarray, slate: np.ndarray, shown: np.ndarray) -> Slates:
        """Replace a share of slots by a uniform draw from all that the user may see and hasn't seen."""
        propensity = np.full(slate.shape, np.nan, dtype=np.float32)
        row, column = np.nonzero((rng.random(slate.shape) < self.random_share) & (slate >= 0))
        kind = self._user_class[user[row]]
        barred = np.hstack([shown[row], slate[row]])
        tries = rng.integers(0, len(self.clicks), (len(row), 12)).astype(np.int32)
        fits = self._eligible[kind[:, None], tries] & ~_among(tries, barred)
        drawn = tries[np.arange(len(row)), fits.argmax(axis=1)]
        n_left = self._n_eligible[kind] - (barred >= 0).sum(axis=1)
        good = fits.any(axis=1) & (n_left > 0)
        # Two random slots of one slate must not draw the same item: the second keeps its own.
        good &= _first_pairs(row, drawn)
        row, column = row[good], column[good]
        slate[row, column] = drawn[good]
        propensity[row, column] = self.random_share / n_left[good]
        return Slates(slate, propensity)


def _among(item: np.ndarray, barred: np.ndarray) -> np.ndarray:
    """bool [n, m]: is item[n, m] in barred[n, s]? Column by column of the shorter side, to stay small."""
    found = np.zeros(item.shape, dtype=bool)
    for column in range(barred.shape[1]):
        found |= item == barred[:, column : column + 1]
    return found


def _first(item: np.ndarray) -> np.ndarray:
    """bool [n, m]: no equal item further left in the row."""
    order = np.argsort(item, axis=1, kind="stable")
    ranked = np.take_along_axis(item, order, axis=1)
    fresh = np.ones(item.shape, dtype=bool)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.empty_like(fresh)
    np.put_along_axis(first, order, fresh, axis=1)
    return first


def _first_pairs(row: np.ndarray, item: np.ndarray) -> np.ndarray:
    """bool [m]: the first of each (row, item)."""
    first = np.zeros(len(row), dtype=bool)
    first[np.unique(row * np.int64(1 << 32) + item, return_index=True)[1]] = True
    return first
