"""What a scenario's release brings into the lake: at the release, and dated then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.schema import TABLES
from sandbox.drill.play import rollout
from sandbox.drill.scenario import library
from sandbox.pipeline.stages.book import Book, StageRun
from sandbox.pipeline.stages.settings import PipelineConfig

BEGAN, RELEASED = 1_000_000.0, 1_002_400.0


@pytest.fixture
def operations(tmp_path: Path) -> Any:
    """A stack's operations as far as a release's record needs them; rows are kept."""
    lineage = Lineage(from_ts=0, to_ts=BEGAN - 60, rows=9, digest="0", label_window_h=72)
    rows = {
        "user_id": np.arange(2), "item_id": np.arange(2), "click": np.ones(2), "long_dwell": np.ones(2),
        "conversion": np.zeros(2), "event_ts": np.full(2, BEGAN - 99), "label_ts": np.full(2, np.inf),
        "feature_as_of": np.full(2, BEGAN - 99), "weight": np.ones(2), "position": np.ones(2),
    }  # fmt: skip
    files = {"training_rows.safetensors": artefacts.pack_arrays(rows)}
    for artifact, version in (("ranker", "rk-2"), ("two_tower", "tt-2"), ("index", "ix-2")):
        artefacts.register(
            tmp_path / "registry" / rollout.COMING,
            Manifest(artifact=artifact, version=version, created_ts=BEGAN, code_hash="0", seed=1,
                     data=lineage, metrics={"auc": 0.7}),
            files if artifact == "ranker" else {"model": b"0"},
        )  # fmt: skip
    taken: list[tuple[str, tuple[Any, ...]]] = []
    platform = SimpleNamespace(
        now=lambda: RELEASED, rows=lambda table, rows: taken.extend((table, row) for row in rows)
    )
    return SimpleNamespace(platform=platform, run=SimpleNamespace(path=tmp_path), taken=taken)


def test_a_version_is_among_those_there_are_from_its_release_on(operations):
    step = next(s for s in library.named("a-good-week").timeline if s.release and s.release.retrain)
    there = operations.run.path / "registry"

    before = artefacts.names([there], "ranker")
    rollout._publish(step, operations)

    assert before == []
    assert artefacts.names([there], "ranker") == ["rk-2"]
    assert artefacts.versions(there / rollout.COMING) == []


def test_no_time_in_the_record_of_a_version_is_older_than_its_release(operations):
    step = next(s for s in library.named("a-good-week").timeline if s.release and s.release.retrain)

    rollout._publish(step, operations)

    seen = {table for table, _ in operations.taken}
    assert seen == {"registry_events", "eval_metrics", "train_runs", "training_rows"}
    for table, when in (
        ("registry_events", "ts"),
        ("eval_metrics", "evaluated_at"),
        ("train_runs", "started"),
        ("train_runs", "finished"),
    ):
        at = TABLES[table].names.index(when)
        assert {row[at] for name, row in operations.taken if name == table} == {RELEASED}
    trained = [
        dict(zip(TABLES["train_runs"].names, row, strict=True))
        for name, row in operations.taken
        if name == "train_runs"
    ]
    assert {row["data_to"] for row in trained} == {BEGAN - 60}, "what it was trained on is older"


def test_a_release_without_new_versions_brings_no_rows(operations):
    step = next(s for s in library.named("a-good-week").timeline if s.release and not s.release.retrain)

    rollout._publish(step, operations)

    assert operations.taken == []


def test_the_run_of_the_pipeline_behind_a_release_is_told_with_it_and_dated_then(operations):
    step = next(s for s in library.named("best-model-yet").timeline if s.release and s.release.retrain)
    book = Book(operations.run.path / "registry" / rollout.COMING / ".book-2")
    run = book.open("laptop", "gate", PipelineConfig().model_dump(mode="json"), BEGAN, {}, now=0.0)
    stage = StageRun(
        stage="labels", key="0", cached=True, rows_in=9, rows_out=7, dropped={"no_impression": 2}, inputs={}, outputs={},
        rows={}, newest_ts=BEGAN - 60, started=1.0, finished=2.0, seconds=0.0,
    )  # fmt: skip
    book.write(run.model_copy(update={"status": "done", "stages": [stage]}))

    rollout._publish(step, operations)

    rows = {table: dict(zip(TABLES[table].names, row, strict=True)) for table, row in operations.taken}
    assert rows["pipeline_drops"] == {"run": "p-2", "stage": "labels", "reason": "no_impression", "rows": 2}
    assert rows["pipeline_runs"]["run"] == "p-2"
    assert rows["pipeline_stages"]["finished"] == rows["pipeline_runs"]["finished"] == RELEASED
