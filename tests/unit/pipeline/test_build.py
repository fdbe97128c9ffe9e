"""A world's models: learned something, the same for the same seed, and really changed by their stages."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.features import USER_PROFILE, USER_SEEN, USER_SESSION
from sandbox.pipeline import index
from sandbox.pipeline.build import BuiltModels, Recipe, ensure_models, train_release
from sandbox.pipeline.ranker import RankerSettings
from sandbox.pipeline.training_set import Examples, Stages
from sandbox.pipeline.two_tower import TowerSettings
from services.model import core
from services.ranking.core import INPUTS
from tests.unit.pipeline.two_tastes import ITEMS, USERS, tables, write_world

QUICK = Recipe(
    tower=TowerSettings(epochs=2, batch=256, min_steps=40), ranker=RankerSettings(epochs=2, batch=512, min_steps=30)
)


@pytest.fixture(scope="module")
def built(world: Path) -> BuiltModels:
    return ensure_models(world, recipe=QUICK)


def test_every_artefact_is_there_and_says_where_it_comes_from(built: BuiltModels) -> None:
    for name in built.versions:
        manifest = built.artefact(name).manifest
        assert manifest.data.rows > 0
        assert len(manifest.data.digest) == 16
        assert manifest.files
    assert built.artefact("ranker").manifest.inputs == list(INPUTS)
    assert built.artefact("index").manifest.config["encoder_version"] == "tt-1"


def test_the_ranker_tells_the_two_tastes_apart(built: BuiltModels) -> None:
    assert built.artefact("ranker").manifest.metrics["auc"] > 0.7
    assert built.artefact("two_tower").manifest.metrics["recall@50"] > 50 / ITEMS


def test_the_index_holds_the_vectors_of_its_encoder(built: BuiltModels) -> None:
    tower = built.artefact("two_tower")
    model = core.load_two_tower(tower.read("model.safetensors"), tower.manifest.config)
    artefact = built.artefact("index")

    found = index.load(artefact.read("index.faiss"))

    np.testing.assert_array_equal(artefact.arrays("vectors.safetensors")["vectors"], core.encode_items(model))
    assert found.ntotal == ITEMS
    assert index.recall(found, core.encode_items(model), core.encode_items(model)[:10]) == 1.0


def test_an_up_to_date_registry_is_not_built_again(world: Path, built: BuiltModels) -> None:
    path = built.artefact("ranker").path / "manifest.json"
    before = path.stat().st_mtime_ns

    ensure_models(world, recipe=QUICK)

    assert path.stat().st_mtime_ns == before


def test_features_are_ready_for_the_store_and_hold_nobody_who_refused(built: BuiltModels) -> None:
    rows = built.artefact("features").arrays("features.safetensors")

    assert rows["user_id"].max() < USERS - 10
    assert rows["user_profile"].shape == (len(rows["user_id"]), len(USER_PROFILE.columns))
    assert rows["user_session"].shape == (len(rows["stream_user_id"]), len(USER_SESSION.columns))
    assert rows["user_seen"].shape == (len(rows["stream_user_id"]), len(USER_SEEN.columns))
    assert np.isfinite(rows["item_stats"]).all()


def test_an_item_without_rights_in_a_region_is_not_popular_there(built: BuiltModels) -> None:
    popular = built.artefact("popular").arrays("popular.safetensors")["items"]

    assert 0 not in popular[0]  # item 0 has rights in region 1 only
    assert 0 in popular[1]


def test_neighbours_share_the_taste_and_never_name_the_item_itself(built: BuiltModels) -> None:
    neighbours = built.artefact("covisit").arrays("neighbours.safetensors")["items"]
    first = neighbours[:, :5]
    same = (first >= ITEMS // 2) == (np.arange(ITEMS) >= ITEMS // 2)[:, None]

    assert same.mean() > 0.75
    assert not (neighbours == np.arange(ITEMS)[:, None]).any()


def test_one_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path, world: Path) -> None:
    def weights(name: str, seed: int) -> bytes:
        release = train_release(
            world, seed=seed, suffix=name, recipe=QUICK, registry_dir=tmp_path / str(seed), artifacts=("ranker",)
        )
        return release.artefact("ranker").read("model.safetensors")

    assert weights("2", 5) == weights("3", 5)
    assert weights("2", 5) != weights("2", 6)


def test_a_wrapped_training_set_is_what_the_release_was_trained_on(tmp_path: Path, world: Path) -> None:
    def without_group_b(examples: Examples) -> Examples:
        return examples.take(examples.item % 2 == 0)  # creators alternate between the groups

    stages = Stages(training_set=without_group_b, key="no group B")
    release = train_release(
        world, seed=5, suffix="2", recipe=QUICK, stages=stages, registry_dir=tmp_path, artifacts=("ranker",)
    )

    artefact = release.artefact("ranker")
    assert (artefact.arrays("training_rows.safetensors")["item_id"] % 2 == 0).all()
    whole = train_release(
        world, seed=5, suffix="2", recipe=QUICK, registry_dir=tmp_path / "whole", artifacts=("ranker",)
    )
    assert artefact.manifest.data.rows < 0.6 * whole.artefact("ranker").manifest.data.rows


def test_a_corrupt_model_file_is_refused_by_name(tmp_path: Path, world: Path) -> None:
    release = train_release(world, seed=5, suffix="2", recipe=QUICK, registry_dir=tmp_path, artifacts=("ranker",))
    path = release.artefact("ranker").path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    with pytest.raises(SandboxError) as caught:
        release.artefact("ranker")

    assert caught.value.kind.code == "MODEL-002"


def test_a_log_of_choices_alone_is_trained_with_sampled_negatives(tmp_path: Path) -> None:
    shown, outcomes = tables()
    world = write_world(tmp_path / "choices", {k: v[:0] for k, v in shown.items()}, outcomes, has_negatives=False)

    built = ensure_models(world, recipe=QUICK)

    assert 0.15 < built.artefact("ranker").manifest.data.pos_rate < 0.3  # 4 negatives to each choice
    assert built.artefact("ranker").manifest.metrics["auc"] > 0.6


def test_a_world_with_an_unknown_item_in_its_log_is_refused(tmp_path: Path) -> None:
    shown, outcomes = tables()
    world = write_world(tmp_path / "bad", shown | {"item_id": shown["item_id"] + ITEMS}, outcomes)

    with pytest.raises(SandboxError) as caught:
        ensure_models(world)

    assert caught.value.kind.code == "WORLD-003"
    assert "item_id" in str(caught.value.seen)


def test_a_large_catalogue_gets_lists_and_still_finds_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3_000, 16)).astype(np.float32)
    saved, index.FLAT_BELOW = index.FLAT_BELOW, 1_000
    try:
        built = index.build(vectors, seed=1)
    finally:
        index.FLAT_BELOW = saved

    assert isinstance(built, faiss.IndexIVFFlat)
    assert index.recall(built, vectors, vectors[:50], k=10) > 0.3


@pytest.mark.parametrize("n", [3, 50, 400])
def test_exact_search_misses_nothing_in_a_catalogue_of_any_size(n: int) -> None:
    vectors = np.random.default_rng(1).normal(size=(n, 8)).astype(np.float32)

    assert index.recall(index.build(vectors, seed=1), vectors, vectors, k=50) == 1.0
