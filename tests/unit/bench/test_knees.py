"""Two largest rates held against each other."""

from __future__ import annotations

import pytest

from sandbox.bench.knees import ratio


def test_the_ratio_of_two_knees_has_the_widest_interval_that_theirs_allow():
    found = ratio({"rate": 30.0, "low": 24.0, "high": 36.0}, {"rate": 20.0, "low": 16.0, "high": 24.0})

    assert found is not None
    assert (found.estimate, found.low, found.high) == pytest.approx((1.5, 1.0, 2.25))


@pytest.mark.parametrize("open_end", [{"low": 0.0}, {"high": None}])
def test_a_knee_that_is_open_at_one_end_gives_a_ratio_without_interval(open_end: dict[str, float | None]):
    whole = {"rate": 20.0, "low": 16.0, "high": 24.0}

    found = ratio(whole | open_end, whole)

    assert found is not None
    assert (found.estimate, found.low, found.high) == (1.0, None, None)


def test_a_stack_that_bears_nothing_has_no_ratio():
    assert ratio({"rate": None, "low": 0.0, "high": 1.0}, {"rate": 20.0, "low": 16.0, "high": 24.0}) is None
