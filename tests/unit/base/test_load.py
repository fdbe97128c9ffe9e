"""Traffic over time: shapes that say what they mean, and refuse what they cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.base.load import TrafficShape

RAMP = {"shape": "ramp", "rate_per_s": 10, "to_per_s": 30, "at_s": 1_000, "until_s": 3_000}


def at(shape: TrafficShape, *times: float) -> list[float]:
    return shape.per_s(np.array(times, float)).tolist()


def test_steady_traffic_is_steady():
    assert at(TrafficShape(rate_per_s=8), 0, 1e6) == [8, 8]


def test_a_ramp_goes_in_a_straight_line_and_stays_there():
    assert at(TrafficShape(**RAMP), 0, 1_000, 2_000, 3_000, 9_000) == [10, 10, 20, 30, 30]


def test_a_burst_is_over_again():
    burst = TrafficShape(**{**RAMP, "shape": "burst"})

    assert at(burst, 999, 1_000, 2_999, 3_000) == [10, 30, 30, 10]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"until_s": 1_000}, "until_s"),
        ({"until_s": 500}, "until_s"),
        ({"to_per_s": 10}, "to_per_s"),
        ({"to_per_s": None}, "to_per_s"),
        ({"at_s": None}, "at_s"),
        ({"shape": "steady"}, "no use"),
        ({"shape": "daily"}, "no use"),
        ({"shape": "wave"}, "shape"),
        ({"to_per_s": 501}, "to_per_s"),
    ],
)
def test_a_shape_that_says_nothing_or_too_much_is_refused(change, named):
    with pytest.raises(ValidationError, match=named):
        TrafficShape(**{**RAMP, **change})


@given(
    st.sampled_from(["ramp", "burst"]), st.floats(0.1, 500), st.floats(0.1, 500),
    st.floats(0, 1e4), st.floats(1, 1e4), st.lists(st.floats(0, 1e5), min_size=1),
)  # fmt: skip
def test_every_rate_lies_between_the_two(shape, usual, other, at_s, length_s, times):
    if usual == other:
        return
    found = TrafficShape(shape=shape, rate_per_s=usual, to_per_s=other, at_s=at_s, until_s=at_s + length_s)
    rates = found.per_s(np.array(times))

    assert (rates >= min(usual, other) * (1 - 1e-12)).all()
    assert (rates <= found.peak_per_s * (1 + 1e-12)).all()
