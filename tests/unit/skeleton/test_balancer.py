"""Which instance takes the next attempt: round_robin spreads over what is connected, pick_first stays where it is."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.skeleton.balancer import PICK_FIRST, ROUND_ROBIN, pick

NAMES = [f"model-{n}" for n in range(4)]


def picks(policy, n, there=NAMES, ready=NAMES, last=""):
    """n attempts in a row, by instance."""
    taken = []
    for _ in range(n):
        last = pick(policy, there, last, lambda name: name in ready)
        taken.append(last)
    return taken


@given(n=st.integers(1, 40), start=st.sampled_from(["", *NAMES]), ready=st.sets(st.sampled_from(NAMES), min_size=1))
def test_round_robin_gives_each_that_is_connected_the_same(n, start, ready):
    counts = Counter(picks(ROUND_ROBIN, n * len(ready), ready=ready, last=start))

    assert counts == dict.fromkeys(ready, n)


@given(n=st.integers(1, 40), ready=st.sets(st.sampled_from(NAMES), min_size=1))
def test_pick_first_stays_with_one_as_long_as_that_is_connected(n, ready):
    assert set(picks(PICK_FIRST, n, ready=ready)) == {min(ready)}


def test_pick_first_does_not_look_at_who_comes_later_nor_goes_back():
    alone = picks(PICK_FIRST, 1, there=NAMES[1:2])[-1]
    assert picks(PICK_FIRST, 3, last=alone) == ["model-1"] * 3

    without = [name for name in NAMES if name != "model-1"]
    after_it_died = picks(PICK_FIRST, 1, ready=without, last="model-1")[-1]
    assert after_it_died == "model-0"
    assert picks(PICK_FIRST, 2, last=after_it_died) == ["model-0"] * 2


@pytest.mark.parametrize("policy", [ROUND_ROBIN, PICK_FIRST])
@given(there=st.lists(st.sampled_from(NAMES), min_size=1, unique=True), last=st.sampled_from(["", *NAMES]))
def test_where_none_is_connected_the_call_goes_to_one_that_there_is(policy, there, last):
    assert pick(policy, there, last, lambda _: False) in there


def test_one_that_is_gone_is_forgotten():
    assert picks(ROUND_ROBIN, 2, there=["model-0", "model-1"], last="model-3") == ["model-0", "model-1"]
    assert picks(PICK_FIRST, 1, there=["model-0", "model-1"], last="model-3") == ["model-0"]
