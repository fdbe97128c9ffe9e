"""Two algorithms that find a limit from how long calls take: by hand, by property, and in a closed loop."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.skeleton.limits import Bounds, Gradient, Sample, Vegas, begun

WIDE = Bounds(1, 1000)
MODES = ("gradient", "vegas")
SAMPLES = st.builds(
    Sample, st.floats(1e-5, 10, allow_nan=False), st.integers(0, 500), st.booleans()
)  # fmt: skip


@given(st.sampled_from(MODES), st.lists(SAMPLES, max_size=60), st.integers(1, 20), st.integers(0, 200))
def test_no_history_brings_the_limit_out_of_its_bounds(mode, samples, least, more):
    bounds = Bounds(least, least + more)
    state = begun(mode, bounds)
    for sample in samples:
        state = state.next(sample, bounds)
        assert bounds.least <= state.limit <= bounds.most
        assert math.isfinite(state.base_s)


@given(st.sampled_from(MODES), st.lists(SAMPLES, min_size=1, max_size=40))
def test_the_same_history_gives_the_same_limit(mode, samples):
    def played():
        state = begun(mode, WIDE)
        for sample in samples:
            state = state.next(sample, WIDE)
        return state

    assert played() == played()


@given(st.sampled_from(MODES), st.floats(0.001, 1), st.integers(1, 40))
def test_who_does_not_use_half_of_it_gets_no_more(mode, took_s, n):
    state = Gradient(100.0) if mode == "gradient" else Vegas(100.0)
    for _ in range(n):
        state = state.next(Sample(took_s, 49), WIDE)

    assert state.limit == 100


def test_gradient_by_hand():
    """A 300th of the way from .1 to .2 s; 1.5 times that, by .2 s, is the gradient; sqrt(16) may wait."""
    state = Gradient(16.0, base_s=0.1, n=11).next(Sample(0.2, 16), WIDE)

    assert state.base_s == pytest.approx(0.1 + 0.1 * 2 / 601)
    assert state.limit == pytest.approx(16 + 0.2 * (16 * (1.5 * state.base_s / 0.2 - 1) + 4))


def test_gradient_begins_with_the_shortest_of_its_first_windows_and_grows_at_once():
    state = Gradient(16.0, base_s=0.1, n=1).next(Sample(0.12, 16), WIDE)

    assert (state.base_s, state.limit) == (0.1, 16 + 4)


def test_a_gradient_halves_at_most_however_long_calls_take():
    state = Gradient(16.0, base_s=0.1, n=11).next(Sample(60.0, 16), WIDE)

    assert state.limit == pytest.approx(16 + 0.2 * (16 * 0.5 + 4 - 16))


def test_after_a_long_overload_gradient_forgets_it():
    state = Gradient(16.0, base_s=1.0, n=11)
    for _ in range(60):
        state = state.next(Sample(0.05, 3), WIDE)

    assert state.base_s < 0.11


@pytest.mark.parametrize(
    ("took_s", "limit"),
    [
        (0.101, 100 + 6 * 2),  # 1 in line: far more can be borne
        (0.105, 100 + 2),  # 5: a little more
        (0.110, 100),  # 10: as it should be
        (0.200, 100 - 2),  # 50: too many
    ],
)
def test_vegas_by_hand(took_s, limit):
    assert Vegas(100.0, base_s=0.1, n=1).next(Sample(took_s, 100), WIDE).limit == limit


def test_vegas_takes_a_call_that_was_given_up_for_a_sign():
    assert Vegas(100.0, base_s=0.1, n=1).next(Sample(0.1, 10, dropped=True), WIDE).limit == 98


def test_vegas_looks_for_its_base_anew_only_where_the_limit_holds_nobody_back():
    busy = idle = Vegas(10.0, base_s=0.1)
    for _ in range(200):
        busy, idle = busy.next(Sample(0.2, 10), WIDE), idle.next(Sample(0.2, 2), WIDE)

    assert (busy.base_s, idle.base_s) == (0.1, 0.2)


@settings(max_examples=40)
@given(st.sampled_from(MODES), st.floats(10, 400), st.floats(0.2, 0.3))
def test_beyond_the_knee_work_goes_on_and_the_line_stays_short(mode, per_s, alone_s):
    """A server of so many calls a second, asked for more than it has: calls take what they would alone, or their turn."""
    bounds = Bounds(2, 1000)
    state = begun(mode, bounds)
    for _ in range(150):
        state = state.next(Sample(max(alone_s, int(state.limit) / per_s), int(state.limit)), bounds)

    needed = per_s * alone_s  # in flight, so that it never stands still
    assert state.limit >= min(needed, bounds.most) * 0.9
    assert state.limit <= 2 * needed + 10
