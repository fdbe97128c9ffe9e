"""An inverted file beside the index that there is: same vectors, fewer of them searched."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.errors import SandboxError
from sandbox.pipeline import index
from sandbox.pipeline.ivf import LEAST_PER_LIST, register_inverted

N = 2_000


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A registry with the exact index ix-1 of random vectors."""
    place = tmp_path_factory.mktemp("registry")
    vectors = np.random.default_rng(3).standard_normal((N, 16)).astype(np.float32)
    like = Manifest(
        artifact="two_tower", version="tt-1", created_ts=5.0, code_hash="0", seed=1,
        data=Lineage(from_ts=0, to_ts=5, rows=1, digest="0"),
    )  # fmt: skip
    artefacts.register(place, *index.artefact(vectors, encoder_version="tt-1", version="ix-1", like=like))
    return place


def made(place, **how):
    settings = {"lists": 40, "nprobe": 8, **how}
    target = place / "-".join(map(str, settings.values()))  # a version has one content
    return register_inverted((place,), "ix-1", "ix-1v", target, **settings)


def test_it_holds_the_same_vectors_and_says_how_much_it_finds(place):
    artefact = made(place)

    same = artefacts.find((place,), "index", "ix-1").arrays("vectors.safetensors")["vectors"]
    assert np.array_equal(artefact.arrays("vectors.safetensors")["vectors"], same)
    assert artefact.manifest.parents == {"two_tower": "tt-1"}
    assert (artefact.manifest.config["nlist"], artefact.manifest.config["nprobe"]) == (40, 8)
    assert 0.3 < artefact.manifest.metrics["recall@50_vs_exact"] < 1
    assert made(place, nprobe=40).manifest.metrics["recall@50_vs_exact"] == 1


def test_twice_made_it_is_the_same_to_the_byte(place):
    assert made(place).read("index.faiss") == made(place).read("index.faiss")


def test_a_small_catalogue_gets_as_many_lists_as_it_bears(place):
    config = made(place, lists=10_000).manifest.config

    assert config["nlist"] == N // LEAST_PER_LIST


@pytest.mark.parametrize("nprobe", [0, 41])
def test_more_lists_to_search_than_there_are_is_refused(place, nprobe):
    with pytest.raises(SandboxError, match="CFG-001"):
        made(place, nprobe=nprobe)
