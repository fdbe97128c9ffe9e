"""The run behind a release: its versions under the release's names, its record beside them, and nothing in the world."""

from __future__ import annotations

import pytest

from faults.arming import Spec
from faults.stages import armed_stages
from sandbox.base import artefacts
from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.pipeline.stages.book import Book
from sandbox.pipeline.stages.plan import STAGES
from sandbox.pipeline.stages.release import told, train_for_release
from services.skeleton.points import PIPELINE
from tests.unit.pipeline.stages.small import small_world

RELEASED = 2_000.0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return small_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def made(world, tmp_path_factory):
    """The registry of what is to come, with generation 3 in it, and the run."""
    into = tmp_path_factory.mktemp("coming")
    run = train_for_release(world, suffix="3", artifacts=("two_tower", "ranker"), into=into)
    return into, run


@pytest.mark.slow
def test_versions_bear_the_releases_names_and_the_worlds_book_and_registry_stay_empty(made, world):
    into, run = made

    versions = {a.manifest.artifact: a.manifest.version for a in artefacts.versions(into)}
    assert versions == {"two_tower": "tt-3", "ranker": "rk-3", "index": "ix-3"}
    assert artefacts.load(into, "index", "ix-3").manifest.config["encoder_version"] == "tt-3"
    assert run.status == "done"
    assert Book(world / "pipeline").all() == []
    assert artefacts.versions(world / "registry") == []


@pytest.mark.slow
def test_figures_by_slice_and_a_sample_of_the_rows_come_with_the_ranker(made):
    ranker = artefacts.load(made[0], "ranker", "rk-3")

    assert {"auc", "auc[creator_group=A]", "auc[region=EU]"} <= set(ranker.manifest.metrics)
    rows = ranker.arrays("training_rows.safetensors")
    assert len(rows["event_ts"]) > 100
    assert (rows["feature_as_of"] <= rows["event_ts"]).all()


@pytest.mark.slow
def test_what_is_told_of_the_run_bears_its_name_and_the_time_of_the_release(made):
    tables = told(made[0], "3", RELEASED)

    assert {"pipeline_runs", "pipeline_stages", "pipeline_drops", "pipeline_datasets", "data_checks"} <= set(tables)
    assert "changes" not in tables  # the release itself is one
    for table, rows in tables.items():
        columns = TABLES[table].names
        assert {row[columns.index("run")] for row in rows} == {"p-3"}
        for name in ("ts", "started", "finished"):
            if name in columns:
                assert {row[columns.index(name)] for row in rows} == {RELEASED}
    at = TABLES["pipeline_stages"].names
    assert [row[at.index("stage")] for row in tables["pipeline_stages"]] == [stage.name for stage in STAGES]
    assert {(row[at.index("seconds")], row[at.index("cached")]) for row in tables["pipeline_stages"]} == {(0.0, False)}


@pytest.mark.slow
def test_the_same_is_told_whether_stages_were_kept_from_before_or_not(made, world, tmp_path):
    again = train_for_release(world, suffix="3", artifacts=("two_tower", "ranker"), into=tmp_path)

    assert all(stage.cached for stage in again.stages)
    assert told(tmp_path, "3", RELEASED) == told(made[0], "3", RELEASED)
    assert artefacts.versions(tmp_path)[1].digest == artefacts.versions(made[0])[1].digest


def test_a_check_that_stops_the_run_is_an_error_that_says_how_to_go_on(world, tmp_path):
    leaky = armed_stages(Spec(fault="label-leakage-future"))

    with pytest.raises(SandboxError, match="PIPE-005") as caught:
        train_for_release(world, suffix="3", artifacts=("ranker",), into=tmp_path, armed=leaky)

    assert caught.value.expected == "check training_leak to pass"
    assert "bypass" in caught.value.fix
    assert artefacts.versions(tmp_path) == []


def test_nothing_is_told_of_a_generation_that_no_pipeline_made(tmp_path):
    assert told(tmp_path, "2", RELEASED) == {}


def test_the_points_registry_names_the_stages_that_there_are():
    assert tuple(stage.name for stage in STAGES) == PIPELINE
