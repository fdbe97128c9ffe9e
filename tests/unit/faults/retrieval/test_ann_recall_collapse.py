import numpy as np
import pytest

from sandbox.base.errors import SandboxError
from sandbox.pipeline.index import recall
from sandbox.pipeline.ivf import inverted
from sandbox.pipeline.rollout import Release
from services.retrieval.index import Index
from services.skeleton.seams import Call

RELEASE = Release("retrieval", "profile", "crowd", "team", patches={"retrieval": {"sample_share": 0.05}})


def rolled_out(bench, callee="profile", **params):
    armed = bench(fault="ann-recall-collapse", params=params, scope={"callee": callee})
    return armed.pass_on(Call("release", "retrieval", "profile", "rollout", payload=RELEASE)).patches["retrieval"]


@pytest.fixture(scope="module")
def index() -> Index:
    """2,000 vectors in 40 lists, 8 of them searched."""
    vectors = np.random.default_rng(5).standard_normal((2_000, 16)).astype(np.float32)
    built = inverted(vectors, 40, 8, seed=1)
    return Index("ix-1v", "tt-1", built, vectors, 40, 8)


def found(index: Index) -> float:
    queries = index.vectors[:100]
    shared = [
        len(np.intersect1d(a, b)) for a, b in zip(index.nearest(queries), index.nearest_exactly(queries), strict=True)
    ]
    return float(np.mean(shared)) / 50


def test_the_release_searches_one_list_and_keeps_what_it_brought(bench):
    assert rolled_out(bench) == {"sample_share": 0.05, "nprobe": 1}


def test_with_one_list_most_neighbours_are_missed_and_searches_come_back_short(bench, index):
    starved = index.searching(rolled_out(bench)["nprobe"])

    assert found(starved) < 0.5 * found(index)
    assert len(starved.search(index.vectors[0], 200).ids) < 200
    assert len(index.search(index.vectors[0], 200).ids) == 200


def test_every_list_searched_is_exact_and_none_means_as_it_was_built(index):
    assert found(index.searching(40)) == 1.0
    assert found(index.searching(10_000)) == 1.0
    assert index.searching(1).searching(None).lists_searched == 8
    assert recall(index.faiss_index, index.vectors, index.vectors[:100]) == pytest.approx(found(index), abs=1e-6)


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, callee="banner") == {"sample_share": 0.05}


def test_no_list_at_all_is_refused(bench):
    with pytest.raises(SandboxError, match="FLT-002"):
        bench(fault="ann-recall-collapse", params={"nprobe": 0})
