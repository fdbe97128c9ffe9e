"""The small steps of a batch: orders and checks as the services have them for one request."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.virtual.answers.content_batch import finite, ordered
from services.gateway.core import by_score

ODD = st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 3e38, -3e38])
SCORES = st.lists(ODD | st.floats(-2, 2, width=32) | st.integers(-2, 2).map(float), max_size=30)


@settings(deadline=None, max_examples=80)
@given(st.lists(SCORES, max_size=6))
def test_many_orders_are_those_of_each_list_alone(lists):
    scores = [np.array(of, np.float32) for of in lists]
    for order, of in zip(ordered(scores), scores, strict=True):
        assert order.tolist() == by_score(of).tolist()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_only_what_is_not_finite_counts_as_nothing(odd):
    large = np.full((3, 4), 3e38, np.float32)  # whose sum is no number of 32 bits
    assert finite(large) is large
    spoiled = large.copy()
    spoiled[1, 2] = odd
    assert finite(spoiled)[1, 2] == 0
    spoiled[1, 2] = 3e38
    assert finite(spoiled) is spoiled
