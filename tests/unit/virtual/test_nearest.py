"""The index asked sooner gives the index's own answers, to the bit."""

from __future__ import annotations

from dataclasses import replace

import faiss
import numpy as np
import pytest

from sandbox.base.streams import stream
from sandbox.virtual.answers.nearest import Nearest
from services.retrieval.index import Index

DIM = 64


def index_of(vectors: np.ndarray, lists: int = 0) -> Index:
    made = faiss.IndexFlatIP(DIM)
    if lists:
        made = faiss.IndexIVFFlat(made, DIM, lists, faiss.METRIC_INNER_PRODUCT)
        made.train(vectors)
    made.add(vectors)
    return Index("ix-1", "tt-1", made, vectors, lists, lists)


def normal(purpose: str, n: int) -> np.ndarray:
    return stream(1, purpose).standard_normal((n, DIM)).astype(np.float32)


def one_by_one(index: Index, queries: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """As a service asks; elsewhere than here faiss may add many queries' products up in another order."""
    scores, ids = zip(*(index.search_many(query[None], n) for query in queries), strict=True)
    return np.concatenate(scores), np.concatenate(ids)


@pytest.fixture(scope="module")
def items() -> np.ndarray:
    return normal("items", 2_005)  # no multiple of anything


@pytest.mark.parametrize("n_queries", [1, 19, 40])
@pytest.mark.parametrize("lists", [0, 8])
def test_scores_and_ids_are_the_indexs(items: np.ndarray, n_queries: int, lists: int) -> None:
    index, queries = index_of(items, lists), normal("queries", n_queries)

    scores, ids = Nearest(index)(queries, 50)

    expected_scores, expected_ids = one_by_one(index, queries, 50)
    assert (ids == expected_ids).all()
    assert (scores == expected_scores).all()


@pytest.mark.parametrize("lists", [0, 8])
def test_rows_that_stand_for_other_items_are_told_by_their_items(items: np.ndarray, lists: int) -> None:
    plain, queries = index_of(items, lists), normal("queries", 19)
    shifted = replace(plain, ids=np.roll(np.arange(len(items)), 7))

    scores, ids = Nearest(shifted)(queries, 50)

    expected_scores, rows = one_by_one(plain, queries, 50)
    assert (ids == (rows - 7) % len(items)).all()
    assert (scores == expected_scores).all()
    assert (shifted.search_many(queries[:1], 50)[1] == ids[:1]).all()
    assert {int(n) for n in shifted.nearest_exactly(queries[:1])[0]} == {int(n) for n in ids[0]}


@pytest.mark.parametrize("n", [1, 125, 126, 2_005, 3_000])
def test_any_depth_is_answered(items: np.ndarray, n: int) -> None:
    index, queries = index_of(items), normal("queries", 3)

    scores, ids = Nearest(index)(queries, n)

    expected_scores, expected_ids = one_by_one(index, queries, n)
    assert (ids == expected_ids).all()
    assert (scores == expected_scores).all()


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_equals_come_in_the_indexs_order(items: np.ndarray, share: float) -> None:
    twins = items.copy()
    twins[: int(share * len(twins))] = twins[0]  # as items that are not out: all alike
    index, queries = index_of(twins), np.vstack([twins[:1], normal("queries", 20)])

    scores, ids = Nearest(index)(queries, 40)

    expected_scores, expected_ids = one_by_one(index, queries, 40)
    assert (ids == expected_ids).all()
    assert (scores == expected_scores).all()


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e25, np.inf, np.nan])
def test_odd_queries_are_the_indexs_to_answer(items: np.ndarray, scale: float) -> None:
    index, queries = index_of(items), normal("queries", 4)
    queries[1] *= np.float32(scale)

    scores, ids = Nearest(index)(queries, 40)

    expected_scores, expected_ids = one_by_one(index, queries, 40)
    assert (ids == expected_ids).all()
    assert np.array_equal(scores, expected_scores, equal_nan=True)
