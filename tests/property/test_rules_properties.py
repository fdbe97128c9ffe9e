"""What holds for every slate, whatever the candidates: see the laws in the names."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.catalogue import REGIONS
from sandbox.base.config import SensitivityList
from services.rules.core import Slate, Visit, apply
from services.rules.policy import AGE_YEARS, Policy
from tests.unit.services.test_rules import NOW, policy_of, small_catalogue

N = 40


def varied_policy(seed: int, explore_share: float) -> Policy:
    """Forty items with every kind of label, creators of several items each."""
    draw, catalogue = np.random.default_rng(seed), small_catalogue(N)
    catalogue.item_creator[:] = draw.integers(0, 12, N)
    catalogue.item_maturity[:] = draw.choice([0, 0, 13, 16, 18], N)
    catalogue.item_sensitivity[:] = draw.integers(0, 8, N)
    catalogue.item_sens_score[:] = draw.random(N)
    catalogue.item_regions[:] = draw.integers(0, 1 << len(REGIONS), N)
    catalogue.item_sponsored[:] = draw.random(N) < 0.3
    catalogue.item_published_ts[:] = NOW - draw.exponential(2e5, N)
    return policy_of(catalogue, explore_share=explore_share, sensitivity=SensitivityList())


@st.composite
def visits(draw: st.DrawFn) -> tuple[Policy, Slate, np.ndarray, np.ndarray, int, Visit]:
    policy = varied_policy(draw(st.integers(0, 50)), draw(st.sampled_from([0.0, 0.02, 1.0])))
    ids = np.array(draw(st.lists(st.integers(-2, N + 2), max_size=60)), np.int64)
    width = st.floats(-5, 5, width=32)
    score = np.array(draw(st.lists(width, min_size=len(ids), max_size=len(ids))), np.float32)
    seen = np.array(draw(st.lists(st.integers(0, N - 1), max_size=20)), np.int64)
    k = draw(st.integers(1, 100))
    visit = Visit(draw(st.integers(-1, 5)), draw(st.integers(0, len(REGIONS) - 1)),
                  draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 50)))  # fmt: skip
    return policy, apply(policy, visit, ids, score, seen, k, NOW), ids, seen, k, visit


@settings(max_examples=80, deadline=None)
@given(visits())
def test_no_item_twice_and_never_more_than_asked(case):
    _, slate, ids, _, k, _ = case

    shown = ids[slate.rows].tolist()

    assert len(shown) == len(set(shown)) <= k
    assert len(slate.propensity) == len(slate.randomised) == len(shown)
    assert all(0 < p <= 1 for p in slate.propensity)


@settings(max_examples=80, deadline=None)
@given(visits())
def test_hard_rules_hold_in_random_and_sponsored_slots_too(case):
    policy, slate, ids, _, _, visit = case
    catalogue, shown = policy.catalogue, ids[slate.rows]
    known_user = 0 <= visit.user < catalogue.n_users
    band = catalogue.user_age_band[visit.user] if known_user else 0
    age = AGE_YEARS[band] if band else 13

    assert ((shown >= 0) & (shown < N)).all()
    assert ((catalogue.item_regions[shown] >> visit.region) & 1).all()
    assert (catalogue.item_maturity[shown] <= age).all()
    assert (catalogue.item_sens_score[shown] < (0.75 if age >= 18 else 0.6)).all()
    if known_user:
        assert not np.isin(catalogue.item_creator[shown], catalogue.blocked(visit.user)).any()
    assert np.bincount(catalogue.item_creator[shown]).max(initial=0) <= 2


@settings(max_examples=50, deadline=None)
@given(visits())
def test_every_candidate_is_shown_dropped_or_left_over_and_never_two_of_these(case):
    _, slate, _, _, _, _ = case

    dropped = [row for drop in slate.dropped for row in drop.rows.tolist()]

    assert len(dropped) == len(set(dropped))
    assert not set(dropped) & set(slate.rows)


@settings(max_examples=50, deadline=None)
@given(visits())
def test_a_seen_item_is_shown_only_when_nothing_unseen_could_be(case):
    _, slate, ids, seen, _, _ = case
    old = np.isin(ids[slate.rows], seen)

    if old.any():
        first_old = int(old.argmax())
        assert old[first_old:].all()  # seen items stand at the end


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(8)), st.integers(1, 8))
def test_equal_scores_keep_the_order_given(order, k):
    policy = policy_of(small_catalogue(8))
    ids = np.array(order, np.int64)

    slate = apply(policy, Visit(0, 0), ids, np.ones(8, np.float32), np.zeros(0, np.int64), k, NOW)

    assert ids[slate.rows].tolist() == list(order)[:k]
