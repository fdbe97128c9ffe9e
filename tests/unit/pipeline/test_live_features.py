"""The batch job's arithmetic: a snapshot of rates carried on by events, held against counting it all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.catalogue import Catalogue
from sandbox.base.features import ITEM_STATS, N_TOPICS, RATE_SMOOTHING, USER_PROFILE
from sandbox.pipeline.live_features import LiveFeatures, Rate

N_USERS, N_ITEMS, N_CREATORS, TS = 8, 6, 3, 1_772_000_000.0
HOUR = 3600.0


class Event(NamedTuple):
    kind: str
    user: int
    ts: float
    items: tuple[int, ...]
    value: float = 1.0


def catalogue() -> Catalogue:
    users, items = np.zeros(N_USERS, np.int8), np.zeros(N_ITEMS, np.float32)
    return Catalogue(
        item_topics=np.eye(N_TOPICS, dtype=np.float32)[np.arange(N_ITEMS)],
        item_creator=(np.arange(N_ITEMS) % N_CREATORS).astype(np.int32),
        item_language=np.zeros(N_ITEMS, np.int8), item_maturity=np.zeros(N_ITEMS, np.int8),
        item_sensitivity=np.zeros(N_ITEMS, np.int8), item_sens_score=items,
        item_regions=np.ones(N_ITEMS, np.uint16), item_published_ts=np.full(N_ITEMS, TS - 48 * HOUR),
        item_duration_s=items + 60, item_price=items, item_sponsored=np.zeros(N_ITEMS, bool),
        creator_group=np.zeros(N_CREATORS, np.int8), creator_followers=np.ones(N_CREATORS, np.int32),
        user_region=users, user_language=users, user_age_band=users, user_gender=users,
        user_personalised=np.ones(N_USERS, bool), user_created_ts=np.full(N_USERS, TS - 86_400.0),
        follows_indptr=np.zeros(N_USERS + 1, np.int64), follows_creator=np.zeros(0, np.int32),
        blocked_indptr=np.zeros(N_USERS + 1, np.int64), blocked_creator=np.zeros(0, np.int32),
    )  # fmt: skip


def snapshot(known: np.ndarray) -> LiveFeatures:
    """Users and items with some history: item i was shown 40 i times and clicked 4 i times."""
    profile = np.zeros((N_USERS, len(USER_PROFILE.columns)), np.float32)
    stats = np.zeros((N_ITEMS, len(ITEM_STATS.columns)), np.float32)
    c, u = ITEM_STATS.columns.index, USER_PROFILE.columns.index
    shown = 40.0 * np.arange(N_ITEMS)
    stats[:, c("impressions_log")] = np.log1p(shown)
    stats[:, c("clicks_log")] = np.log1p(shown / 10)
    stats[:, c("ctr_28d")] = (shown / 10 + RATE_SMOOTHING * 0.1) / (shown + RATE_SMOOTHING)
    stats[:, c("ctr_24h")] = 0.1
    stats[:, c("creator_ctr")] = 0.1
    stats[:, c("age_h_log")] = np.log1p(48.0)
    profile[:, u("days_since_last")] = 3.0
    profile[:, u("tenure_days_log")] = np.log1p(1.0)
    return LiveFeatures(catalogue(), known, profile[known], stats, TS)


EVERYBODY = np.arange(N_USERS)


@settings(deadline=None)
@given(hit=st.lists(st.integers(0, 30), min_size=2, max_size=40), seed=st.integers(0, 1000), untried=st.booleans())
def test_the_hits_behind_smoothed_rates_come_back_exactly(hit: list[int], seed: int, untried: bool) -> None:
    hits = np.array(hit, np.float64)
    tries = hits + np.random.default_rng(seed).integers(0, 500, len(hits)) + 1
    if untried:
        hits[0] = tries[0] = 0
    overall = hits.sum() / tries.sum()
    rates = (hits + RATE_SMOOTHING * overall) / (tries + RATE_SMOOTHING)

    rate = Rate(rates.astype(np.float32).astype(np.float64), tries)

    assert rate.prior == pytest.approx(overall, rel=1e-4, abs=1e-6)
    np.testing.assert_array_equal(rate.hits, hits)
    np.testing.assert_allclose(rate.over(tries), rates, rtol=1e-4, atol=1e-6)


def test_without_events_nothing_but_ages_changes() -> None:
    live = snapshot(EVERYBODY)
    ages = {"age_h_log", "days_since_last", "tenure_days_log"}

    later_stats, later_profile = live.stats(TS + 24 * HOUR), live.profile(TS + 24 * HOUR)

    for columns, before, after in (
        (ITEM_STATS.columns, live._stats, later_stats),
        (USER_PROFILE.columns, live._profile, later_profile),
    ):
        steady = [i for i, name in enumerate(columns) if name not in ages]
        np.testing.assert_allclose(after[:, steady], before[:, steady], atol=1e-6)
    np.testing.assert_allclose(later_stats[:, ITEM_STATS.columns.index("age_h_log")], np.log1p(72))
    np.testing.assert_allclose(later_profile[:, USER_PROFILE.columns.index("days_since_last")], 4)


def test_clicks_raise_the_rates_of_the_item_and_its_creator_only() -> None:
    live = snapshot(EVERYBODY)
    slate = Event("impressions", 2, TS + 60, tuple(range(N_ITEMS)))
    clicks = [Event("click", 2, TS + 61, (1,)), Event("dwell", 2, TS + 90, (1,), 45.0)]

    read = live.add([slate, *clicks])

    assert read == [TS + 60, TS + 61, TS + 90]
    stats, c = live.stats(TS + HOUR), ITEM_STATS.columns.index
    # Item 1 had 40 impressions and 4 clicks; 20 more impressions at 0.1 smooth the rate.
    assert stats[1, c("ctr_28d")] == pytest.approx((5 + 2) / (41 + 20))
    assert stats[2, c("ctr_28d")] == pytest.approx((8 + 2) / (81 + 20))
    assert stats[1, c("ctr_24h")] == pytest.approx((1 + 2) / (1 + 20))
    assert stats[0, c("ctr_24h")] == pytest.approx(2 / 21)
    assert stats[4, c("creator_ctr")] == pytest.approx((4 + 16 + 1 + 2) / (40 + 160 + 2 + 20))
    assert stats[1, c("long_dwell_rate")] == pytest.approx(1 / (5 + 20))
    profile, u = live.profile(TS + HOUR), USER_PROFILE.columns.index
    assert profile[2, u("clicks_28d_log")] == pytest.approx(np.log1p(1))
    assert profile[2, u("impressions_28d_log")] == pytest.approx(np.log1p(N_ITEMS))
    assert profile[2, u("topic_01")] == pytest.approx(1 / 3)  # one click beside two of no topic
    assert profile[2, u("days_since_last")] == pytest.approx((HOUR - 90) / 86_400, rel=1e-3)
    assert profile[3, u("clicks_28d_log")] == 0


def test_the_live_day_forgets_after_a_day() -> None:
    live = snapshot(EVERYBODY)
    live.add([Event("impressions", 0, TS, (1,)), Event("click", 0, TS, (1,))])
    at = ITEM_STATS.columns.index("ctr_24h")
    fresh = live.stats(TS + HOUR)[1, at]

    old = live.stats(TS + 25 * HOUR)[1, at]

    assert fresh > 0.1
    assert old == pytest.approx(0.1)


def test_users_who_may_not_be_known_count_for_items_and_leave_no_trace_of_their_own() -> None:
    live = snapshot(np.array([0, 2]))

    read = live.add([Event("click", 5, TS + 1, (1,)), Event("conversion", 5, TS + 2, (1,), 9.0)])

    assert len(read) == 2
    assert live.stats(TS + HOUR)[1, ITEM_STATS.columns.index("clicks_log")] == pytest.approx(np.log1p(5))
    assert live.profile(TS + HOUR).shape == (2, len(USER_PROFILE.columns))
    assert not live.profile(TS + HOUR)[:, USER_PROFILE.columns.index("clicks_28d_log")].any()


KINDS = ("impressions", "click", "dwell", "like", "hide", "conversion", "leave", "unheard-of")
events = st.builds(
    Event, st.sampled_from(KINDS), st.integers(-1, N_USERS), st.floats(TS, TS + 3 * 86_400),
    st.lists(st.integers(-1, N_ITEMS), max_size=4).map(tuple), st.floats(0, 1e5),
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(events, max_size=30), st.randoms(use_true_random=False))
def test_whatever_comes_rows_stay_finite_and_counts_do_not_depend_on_the_order(
    coming: list[Event], chance: object
) -> None:
    one, other = snapshot(EVERYBODY), snapshot(EVERYBODY)
    shuffled = list(coming)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    assert sorted(one.add(coming)) == sorted(other.add(shuffled))

    day = ITEM_STATS.columns.index("ctr_24h")  # a ring: late events of a past day are left out
    later = TS + 3 * 86_400
    ours, theirs = one.stats(later), other.stats(later)
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(np.delete(ours, day, 1), np.delete(theirs, day, 1), rtol=1e-5)
    assert np.isfinite(one.profile(later)).all()
    np.testing.assert_allclose(one.profile(later), other.profile(later), rtol=1e-5, atol=1e-6)
