"""Harm: counted once however it is cut, nothing between equal runs, and as sure as the draws allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.drill.scenario.harms import ALL, GOODS, METRICS
from sandbox.drill.twin import harm as harms
from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.intervals import differences, draws, estimate, valued, variance_ratio
from sandbox.virtual.people.ledger import Ledger, LedgerBook
from tests.unit.drill.scenes import scenario
from tests.unit.drill.toy_arms import BEGAN, toy_run

SUMS = ("clicks", "conversions", "revenue", "satisfied_sessions", "users_lost", "policy_breaches")
PLAN = ArmPlan(scenario(), "tiny", 1, True, (), 9_000.0)
END = BEGAN + 9_000.0


def run(seed: int = 1, faults: bool = True, actions=()) -> Ledger:
    return toy_run(replace(PLAN, seed=seed, faults=faults, actions=actions), None, False)


def small(*rows: tuple[float, int, float, int], visits=()) -> Ledger:
    """rows: (seconds, user, latency, clicks); visits: (seconds, user, satisfaction, lost)."""
    book = LedgerBook(0.0)
    ts, user, ms, clicks = zip(*rows, strict=True)
    zero = np.zeros(len(ts))
    book.add_requests(
        ts=ts, user=user, session=user, depth=zero + 1, region=np.array(user) % 2, segment=zero,
        latency_ms=ms, degraded=zero, n_items=zero + 4, clicks=clicks, conversions=zero, revenue=zero,
        breaches=zero, shown_b=zero + 1,
    )  # fmt: skip
    if visits:
        ts, user, satisfaction, lost = zip(*visits, strict=True)
        book.add_visits(ts=ts, user=user, session=user, satisfaction=satisfaction, lost=lost)
    return book.closed()


def between(one: Ledger, other: Ledger, seed: int = 1):
    users = harms.users_of(one, other)
    weights = draws(seed, users)
    return differences(*(valued(harms.counts(x, users, 50.0), weights) for x in (one, other)))


def test_totals_can_be_checked_by_hand():
    ledger = small((0, 1, 10.0, 2), (30, 2, 90.0, 1), (90, 1, 20.0, 4), visits=[(40, 2, 0.9, 0.1), (95, 1, 0.3, 0.6)])

    seen = harms.totals(ledger, 0.0, 91.0, slow_ms=50.0)

    assert seen["clicks"] == 7
    assert seen["satisfied_sessions"] == 1
    assert seen["users_lost"] == pytest.approx(0.1), "the second visit ends later"
    assert seen["p99_ms"] == 90.0
    assert seen["slow_requests"] == 1
    assert seen["exposure_gap"] == pytest.approx(75.0)


def test_a_user_who_came_back_is_lost_at_most_once():
    ledger = small((0, 1, 10.0, 0), visits=[(10, 1, 0.1, 0.9), (500, 1, 0.8, 0.2)])

    assert harms.totals(ledger, 0.0, 600.0)["users_lost"] == pytest.approx(0.2)
    assert harms.totals(ledger, 0.0, 400.0)["users_lost"] == pytest.approx(0.9)


def test_nothing_that_lies_outside_the_window_counts():
    ledger = small((0, 1, 10.0, 2), (60, 1, 10.0, 1))

    assert harms.totals(ledger, 0.0, 60.0)["clicks"] == 2
    assert harms.totals(ledger, 60.0, 61.0)["clicks"] == 1
    assert np.isnan(harms.totals(ledger, 61.0, 90.0)["p99_ms"]), "nobody asked"


@given(st.floats(0, 5_000), st.floats(1, 4_000), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_minutes_and_segments_add_up_to_the_whole(start_s, length_s, seed):
    ledger, window = run(seed), (BEGAN + start_s, BEGAN + start_s + length_s)

    whole = harms.totals(ledger, *window)
    minutes = harms.per_minute(ledger, *window)
    cut = harms.by_segment([ledger])
    of_regions = [harms.totals(c[0], *window) for k, c in cut.items() if k.startswith("region=")]

    assert len(minutes["clicks"]) == len(harms.minutes_of(BEGAN, *window))
    for name in SUMS:
        assert minutes[name].sum() == pytest.approx(whole[name])
        assert sum(part[name] for part in of_regions) == pytest.approx(whole[name])


def test_segments_are_named_as_reports_name_them():
    assert set(harms.by_segment([run()])) == {
        "region=EU", "region=UK", "region=US-CA",
        "segment=new", "segment=light", "segment=regular", "segment=heavy",
    }  # fmt: skip


@given(st.integers(0, 2**40), st.booleans())
@settings(max_examples=15, deadline=None)
def test_between_equal_runs_there_is_no_harm_and_no_doubt_about_it(seed, faults):
    found = between(run(seed, faults), run(seed, faults), seed)

    for name in ALL:
        sure = estimate([found[name]])
        assert sure.estimate == 0.0
        assert sure.low <= 0.0 <= sure.high
        assert sure.z == 0.0
        assert not sure.clear


@given(st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_harm_is_positive_whichever_way_the_metric_counts(seed):
    found = between(run(seed), run(seed, faults=False), seed)

    for name in ("clicks", "satisfied_sessions", "users_lost", "p99_ms", "slow_requests"):
        assert estimate([found[name]]).clear, name
    assert found["clicks"].harm == -between(run(seed, False), run(seed), seed)["clicks"].harm
    assert set(GOODS) < set(METRICS)


def test_the_99th_percentile_is_one_that_was_measured():
    ledger = run()
    ms = np.sort(ledger.requests.latency_ms)
    users = harms.users_of(ledger)

    counted = harms.counts(ledger, users)

    assert counted.values()["p99_ms"][0] == ms[len(ms) - 1 - int(0.01 * len(ms))]
    twice = counted.values(np.full((1, len(users)), 2.0))
    assert twice["p99_ms"][0] == pytest.approx(counted.values()["p99_ms"][0], abs=0.2)
    assert twice["clicks"][0] == 2 * counted.values()["clicks"][0]


def test_shared_draws_save_most_of_the_variance_and_other_seeds_none():
    sick, healthy, stranger = run(), run(faults=False), run(seed=99, faults=False)

    paired = variance_ratio([between(sick, healthy)["clicks"]])
    alone = variance_ratio([replace(d, paired=d.unpaired) for d in [between(sick, stranger)["clicks"]]])

    assert paired < 0.6
    assert alone == pytest.approx(1.0)
    assert variance_ratio([between(sick, sick)["policy_breaches"]]) == 1.0, "nothing varies"


def test_intervals_hold_what_more_seeds_come_to():
    truth = np.mean([between(run(s), run(s, False), s)["clicks"].harm for s in range(100, 140)])

    held = 0
    for first in range(0, 60, 3):
        seeds = range(first, first + 3)
        sure = estimate([between(run(s), run(s, False), s)["clicks"] for s in seeds])
        held += sure.low <= truth <= sure.high

    assert held >= 17, "19 of 20 are meant to"


def test_users_are_drawn_by_who_they_are_and_not_by_their_number():
    few, many = np.array([3, 70, 9_000]), np.arange(10_000)

    assert (draws(5, few) == draws(5, many)[:, few]).all()
    assert draws(5, many).mean() == pytest.approx(1.0, abs=0.01)
    assert draws(5, many).var() == pytest.approx(1.0, abs=0.02)


def test_affected_are_those_to_whom_something_else_happened():
    healthy = small((0, 1, 10.0, 2), (1, 2, 50.0, 0), (2, 3, 50.0, 0), (3, 4, 50.0, 0))
    sick = small((0, 1, 10.0, 1), (1, 2, 55.0, 0), (2, 3, 75.0, 0), (3, 5, 50.0, 0))

    assert harms.affected_users(sick, healthy, 0.0, 10.0) == 4, "1: clicks, 3: slower, 4 and 5: alone"
    assert harms.affected_users(sick, sick, 0.0, 10.0) == 0
