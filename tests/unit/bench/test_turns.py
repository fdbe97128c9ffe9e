"""Whose turn it is, what a turn cost, and how sure a ratio of turns is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.streams import stream
from sandbox.bench import turns
from sandbox.bench.turns import Turn


def test_two_sides_take_turns_abba():
    assert turns.order(2, 2) == [0, 1, 1, 0, 0, 1, 1, 0]


@given(st.integers(1, 5), st.integers(1, 8))
def test_what_drifts_with_time_falls_on_all_sides_alike(n_sides: int, rounds: int):
    whose = turns.order(n_sides, rounds)
    places = [[i for i, side in enumerate(whose) if side == at] for at in range(n_sides)]

    assert len({len(of) for of in places}) == 1
    assert len({sum(of) for of in places}) == 1


def test_what_runs_anyway_is_taken_from_each_turn_by_its_length():
    """A process that uses a tenth of a core without calls, in two turns of 10 calls, of 2 and of 4 seconds."""
    quiet = {"gateway": 0.1}
    made = [Turn(10, {"gateway": 0.5}, 2.0, quiet, 1.0), Turn(10, {"gateway": 0.7}, 4.0, quiet, 1.0)]

    costs = turns.costs_ms(made)

    assert turns.idle_shares(made) == {"gateway": pytest.approx(0.1)}
    assert [cost["gateway"] for cost in costs] == pytest.approx([30.0, 30.0])


def test_a_turn_in_which_something_was_loaded_takes_nothing_from_the_others():
    quiet, loading = {"model": 0.1}, {"model": 5.0}
    made = [Turn(10, {"model": 0.5}, 2.0, idle, 1.0) for idle in (loading, quiet, quiet)]

    assert [cost["model"] for cost in turns.costs_ms(made)] == pytest.approx([30.0] * 3)


def test_a_process_that_stands_apart_is_in_no_cost():
    turn = Turn(2, {"gateway": 0.1, "redis": 9.0}, 1.0, {"gateway": 0.0, "redis": 0.0}, 1.0)

    assert turns.costs_ms([turn], apart=("redis",)) == [{"gateway": pytest.approx(50.0)}]


def test_what_disturbs_both_of_a_pair_moves_no_ratio():
    below = [10.0, 30.0, 12.0, 90.0, 11.0, 10.0]

    found = turns.ratio([1.3 * value for value in below], below)

    assert (found.estimate, found.low, found.high) == pytest.approx((1.3, 1.3, 1.3))


def test_a_ratio_is_that_of_the_figures_that_are_told():
    assert turns.ratio([10.0, 20.0], [10.0, 5.0]).estimate == pytest.approx(2.0)


def test_three_turns_are_too_few_for_an_interval_and_none_are_no_ratio():
    found = turns.ratio([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])

    assert (found.low, found.high) == (None, None)
    assert math.isnan(turns.ratio([], []).estimate)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """400 benches of ten pairs, true ratio 1.2, pairs disturbed together and each side by itself. 95 % of 400 with five
    standard errors: 358 at least; plain percentiles of ten come to about 360, so more is asked."""
    n_benches, inside = 400, 0
    for bench in range(n_benches):
        rng = stream(7, "test/turns", bench)
        common = np.exp(0.3 * rng.standard_normal(10))
        below = 20 * common * np.exp(0.1 * rng.standard_normal(10))
        above = 24 * common * np.exp(0.1 * rng.standard_normal(10))
        found = turns.ratio(above.tolist(), below.tolist(), seed=bench)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 1.2 <= found.high

    assert 366 <= inside <= n_benches


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(1, 100)), min_size=4, max_size=12), st.floats(0.1, 10))
def test_another_unit_on_one_side_scales_the_whole_interval(pairs: list[tuple[float, float]], factor: float):
    above, below = [a for a, _ in pairs], [b for _, b in pairs]
    one, other = turns.ratio(above, below), turns.ratio([factor * a for a in above], below)

    assert one.low is not None
    assert one.high is not None
    assert one.low <= one.estimate * (1 + 1e-9)
    assert one.high >= one.estimate * (1 - 1e-9)
    assert (other.estimate, other.low, other.high) == pytest.approx(
        (factor * one.estimate, factor * one.low, factor * one.high)
    )
