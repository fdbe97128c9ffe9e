"""Whom something hit, and how near a report comes to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.scenario.segments import RIGHT_COLUMN, overlap, require_known, told

segment = st.dictionaries(
    st.sampled_from(["region", "lang", "segment"]),
    st.lists(st.sampled_from(["EU", "US", "de", "fr"]), min_size=1, max_size=3, unique=True),
    max_size=3,
)


@given(segment, segment)
def test_likeness_is_mutual_and_whole_only_with_oneself(one, other):
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one) == 1.0
    assert 0.0 <= overlap(one, other) <= 1.0


def test_everyone_is_like_nobody_else():
    assert overlap({}, {"region": "EU"}) == 0.0
    assert overlap({}, {}) == 1.0


def test_values_count_each_and_the_right_column_a_little():
    assert overlap({"lang": ["de", "fr"]}, {"lang": "de"}) == pytest.approx(2 / 3)
    assert overlap({"lang": "de"}, {"lang": "pl"}) == RIGHT_COLUMN
    assert overlap({"lang": "de"}, {"region": "EU"}) == 0.0


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"planet": "Mars"}, "no segment is named by 'planet'"),
        ({"region": []}, "region has no value"),
        ({"user_bucket": "all"}, "LOW-HIGH"),
        ({"user_bucket": "30-20"}, "LOW-HIGH"),
        ({"user_bucket": "0-100"}, "LOW-HIGH"),
    ],
)
def test_what_names_nobody_is_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        require_known(wrong)


def test_it_is_told_in_words():
    assert told({"region": "EU", "lang": ["fr", "de"]}) == "lang=de, lang=fr, region=EU"
    assert told({}) == "everyone"
