"""Retrieval's sources and their merge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.core import NOTHING, SOURCES, Covisit, Found, Shelves, allotted, merge, recall, top_up
from tests.unit.services.test_rules import small_catalogue


def found(*ids: int) -> Found:
    return Found(np.array(ids, np.int64), np.linspace(1, 0.5, len(ids)).astype(np.float32))


def test_what_two_sources_propose_stands_above_what_one_does():
    merged = merge({"ann": found(1, 2, 3), "popular": found(9, 3, 8)}, 10)

    assert merged.ids.tolist() == [3, 1, 9, 2, 8]
    assert merged.sources[0] == 0b01001  # ann is bit 0, popular bit 3
    assert merged.scores[0] == pytest.approx(1 / 63 + 1 / 62)


def test_a_short_merge_is_filled_from_further_down_the_popular_list():
    merged = top_up(merge({"ann": found(1, 2)}, 5), found(2, 7, 8, 9, 10), 5)

    assert merged.ids.tolist() == [1, 2, 7, 8, 9]
    assert (np.diff(merged.scores) < 0).all()
    assert (merged.scores > 0).all()


def test_no_source_has_anything():
    assert len(merge({"ann": NOTHING}, 5).ids) == 0
    assert len(merge({}, 5).ids) == 0


sources = st.dictionaries(st.sampled_from(SOURCES), st.lists(st.integers(0, 60), max_size=40, unique=True))


@given(sources, st.integers(1, 100))
def test_a_merge_holds_no_item_twice_and_says_truly_who_proposed_it(lists, n):
    merged = merge({s: found(*ids) for s, ids in lists.items()}, n)

    assert len(set(merged.ids.tolist())) == len(merged.ids) <= n
    assert (np.diff(merged.scores) <= 1e-9).all()
    for item, mask in zip(merged.ids.tolist(), merged.sources.tolist(), strict=True):
        told = {s for i, s in enumerate(SOURCES) if mask >> i & 1}
        assert told == {s for s, ids in lists.items() if item in ids}


@given(sources)
def test_asking_for_fewer_gives_the_first_of_them(lists):
    answers = {s: found(*ids) for s, ids in lists.items()}

    assert merge(answers, 5).ids.tolist() == merge(answers, 200).ids[:5].tolist()


def test_covisit_adds_up_neighbours_and_leaves_the_clicks_themselves_out():
    covisit = Covisit(
        np.array([[1, 2], [2, 3], [-1, -1], [0, -1]], np.int32),
        np.array([[0.9, 0.5], [0.8, 0.4], [0, 0], [0.3, 0]], np.float32),
    )

    answer = covisit.find(np.array([0, 1]), 5)

    assert answer.ids.tolist() == [2, 3]
    assert answer.scores == pytest.approx([0.5 + 0.8 / 2**0.5, 0.4 / 2**0.5])
    assert covisit.find(np.array([2]), 5).ids.tolist() == []
    assert covisit.find(np.array([-1, 99]), 5).ids.tolist() == []


def test_fresh_is_the_newest_that_is_published_and_allowed_here():
    catalogue = small_catalogue(5)
    catalogue.item_published_ts[:] = [10, 20, 30, 40, 50]
    catalogue.item_regions[2] = 0
    catalogue.item_language[1] = 3
    shelves = Shelves(catalogue)

    assert shelves.fresh(2, 45.0, 0, 0).ids.tolist() == [3, 0]
    assert shelves.fresh(9, 45.0, 0, -1).ids.tolist() == [3, 1, 0]


def test_followed_gives_a_few_of_each_creator_newest_first():
    catalogue = small_catalogue(12)
    catalogue.item_creator[:10] = 0
    catalogue.item_creator[10:] = 1
    catalogue.item_published_ts[:] = np.arange(12) * 10.0
    shelves = Shelves(catalogue)

    answer = shelves.followed(np.array([0, 1], np.int32), 30, 105.0)

    assert answer.ids.tolist() == [10, 9, 8, 7, 6]  # item 11 comes out at 110
    assert shelves.followed(np.zeros(0, np.int32), 30, 105.0).ids.tolist() == []


def test_quotas_grow_only_when_more_is_wanted_than_they_give():
    quotas = {"ann": 60, "popular": 40}

    assert allotted(quotas, 50)["ann"] == 60
    assert allotted(quotas, 200) == {"ann": 120, "covisit": 0, "followed": 0, "popular": 80, "fresh": 0}
    assert allotted({}, 50)["ann"] == 0


def test_recall_counts_only_what_there_was_to_find():
    share = recall(np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 9], [5, -1]]))

    assert share == pytest.approx(2 / 3)
