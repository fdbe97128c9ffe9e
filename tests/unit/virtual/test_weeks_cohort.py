"""Users who live for weeks: their luck is their own, and how they are divided changes nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.worlds import world_dir
from sandbox.virtual.answers.content import Answer
from sandbox.virtual.weeks.cohort import Cohort
from sandbox.virtual.weeks.served import Served
from sandbox.world.behaviour import Behaviour
from sandbox.world.presets import HISTORY_END_TS
from services.gateway.stages import Candidates, Ranked
from services.rules.core import Slate

K = 10


class Unseen:
    """Stands in for the recommender: the first items of a list that the user has not seen lately."""

    def __init__(self, n_items: int) -> None:
        self.items = np.arange(n_items)

    def healthy(self, asked, rows, item_rows):
        answers = []
        for a, of in zip(asked, rows, strict=True):
            ids = np.roll(self.items, -7 * a.user)
            ids = ids[~np.isin(ids, of.seen)][: a.k]
            ranked = Ranked.as_retrieved(Candidates.popular(ids))
            slate = Slate(list(range(len(ids))), [1.0] * len(ids), [False] * len(ids))
            answers.append(Answer(of, {}, Candidates.popular(ids), None, None, None, ranked, slate))
        return answers


@pytest.fixture(scope="module")
def world(home: Path) -> tuple[Behaviour, Catalogue]:
    place = world_dir("tiny")
    return Behaviour.load(place), Catalogue.load(place / "public" / "catalogue.npz")


def cohort(world, user, seed=1) -> Cohort:
    behaviour, catalogue = world
    user = np.array(user)
    made = Cohort(behaviour, catalogue, user, user % 2, HISTORY_END_TS, seed, K)
    made.answers = dict.fromkeys(range(2), Unseen(catalogue.n_items))
    return made


def assert_same(one: Served, other: Served) -> None:
    for f in fields(Served):
        np.testing.assert_array_equal(getattr(one, f.name), getattr(other, f.name), err_msg=f.name)


def test_one_changed_user_moves_nobody_else(world):
    behaviour, catalogue = world
    bias = behaviour.latent.user_bias.copy()
    bias[5] += 2.0  # user 5 clicks on nearly everything
    changed = Behaviour(replace(behaviour.latent, user_bias=bias))

    before = cohort(world, range(40)).until(HISTORY_END_TS + 3 * DAY_S)
    after = cohort((changed, catalogue), range(40)).until(HISTORY_END_TS + 3 * DAY_S)

    assert after.clicked[after.user == 5].sum() > before.clicked[before.user == 5].sum()
    assert_same(before.take(before.user != 5), after.take(after.user != 5))


def test_users_live_the_same_apart_and_together_in_one_window_and_in_many(world):
    end = HISTORY_END_TS + 2 * DAY_S
    whole = cohort(world, range(30)).until(end)

    halves = [cohort(world, range(first, 30, 2)) for first in (0, 1)]
    hours = np.arange(HISTORY_END_TS, end, 3_600.0) + 3_600.0
    parts = [half.until(hour) for hour in hours for half in halves]

    assert len(whole) > 100
    assert_same(whole, Served.joined(parts))


def test_another_seed_is_another_life(world):
    end = HISTORY_END_TS + DAY_S
    one, other = (cohort(world, range(30), seed).until(end) for seed in (1, 2))

    assert len(one) != len(other) or (one.ts != other.ts).any()


def test_a_visit_goes_on_until_the_user_leaves_and_then_a_gap_follows(world):
    lived = cohort(world, range(60)).until(HISTORY_END_TS + 5 * DAY_S)

    for visit in np.unique(lived.session):
        rows = lived.take(lived.session == visit)
        assert rows.depth.tolist() == list(range(1, len(rows) + 1))
        assert not rows.left[:-1].any()
        assert np.isnan(rows.gap_s[:-1]).all()
    ended = lived.take(lived.left)
    assert (ended.gap_s > 0).all()
    assert ((ended.lost > 0) & (ended.lost < 1)).all()


def test_satisfied_users_come_back_sooner_and_everybody_by_day(world):
    behaviour, catalogue = world
    user, at = np.arange(300), np.full(300, HISTORY_END_TS)
    zero = np.zeros(300, np.int64)
    made = Cohort(behaviour, catalogue, user, zero, HISTORY_END_TS, 1, K)

    gap = behaviour.return_gap_s
    happy = made._clock.after(user, at, gap(user, zero, np.full(300, 0.9)))
    sad = made._clock.after(user, at, gap(user, zero, np.full(300, 0.1)))

    assert (happy < sad).all()
    visits = np.concatenate([made._clock.after(user, at, np.full(300, hours * 3_600.0)) for hours in range(1, 240)])
    busy = behaviour.diurnal(visits, np.tile(user, 239))
    assert busy.mean() > 1.1  # a steady rate would give 1


def test_a_stretched_day_is_a_day_long(world):
    made = cohort(world, range(20))
    at, ts = np.arange(20), HISTORY_END_TS + 1_000.0 * np.arange(20)

    np.testing.assert_allclose(made._clock.after(at, ts, np.full(20, DAY_S)), ts + DAY_S, atol=1e-3)
    np.testing.assert_allclose(made._clock.after(at, ts, np.zeros(20)), ts, atol=1e-3)
