"""What each stage does to the rows that it is given, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.base.errors import SandboxError
from sandbox.pipeline.events import read_source
from sandbox.pipeline.stages.arrays import log_of
from sandbox.pipeline.stages.engine import Engine
from sandbox.pipeline.stages.sensitivity import threshold
from sandbox.pipeline.stages.settings import PipelineConfig, Sensitivity, read_config
from tests.unit.pipeline.stages import small
from tests.unit.pipeline.stages.small import WITHOUT_CONSENT, dataset, rows, small_world
from tests.unit.pipeline.two_tastes import END, START, tables

HOUR = 3_600.0
engine = partial(small.engine, checked=False)  # what the rows become, and nothing else
NO_LIMITS = PipelineConfig(sensitivity=Sensitivity(thresholds=()))  # nothing is sensitive


def plus(table: dict[str, np.ndarray], **changes: Any) -> dict[str, np.ndarray]:
    """The table with its first row once more, changed."""
    return {
        name: np.concatenate([column, np.array([changes.get(name, column[0])], column.dtype)])
        for name, column in table.items()
    }


def stage(run: Any, name: str) -> Any:
    return next(one for one in run.stages if one.stage == name)


def test_with_everything_allowed_the_labels_are_the_log_that_training_always_read(tmp_path: Path) -> None:
    world = small_world(tmp_path / "w", u59=("granted", START - 1.0))
    built = engine(world)

    run = built.run(NO_LIMITS, until="labels")

    ours, theirs = log_of(dataset(built, run, "labels")), read_source(world).log
    for name in vars(theirs):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


def test_an_event_delivered_again_hours_later_counts_once_as_it_was_first_known(tmp_path: Path) -> None:
    shown, outcomes = tables()
    first = float(outcomes["ingest_ts"][0])
    world = small_world(tmp_path / "w", shown, plus(plus(outcomes, ingest_ts=first + 9 * HOUR), ingest_ts=first + HOUR))
    built = engine(world)

    run = built.run(PipelineConfig(), until="deduplicate")

    assert stage(run, "deduplicate").dropped == {"duplicate": 2}
    key = f"request_id = {outcomes['request_id'][0]} AND item_id = {outcomes['item_id'][0]} AND kind = 'click'"
    assert rows(dataset(built, run, "outcomes_once"), f"SELECT known_ts FROM t WHERE {key}") == [(first,)]


def test_rows_that_name_nobody_or_come_from_the_future_are_counted_by_reason(tmp_path: Path) -> None:
    shown, outcomes = tables()
    shown = plus(plus(shown, user_id=6_000), item_id=-1)
    outcomes = plus(plus(outcomes, event_ts=np.nan), event_ts=START + 9 * HOUR, ingest_ts=START)
    late = plus(outcomes, ingest_ts=END + 1)
    world = small_world(tmp_path / "w", shown, late)

    run = engine(world).run(PipelineConfig(), until="ingest")

    assert stage(run, "ingest").dropped == {
        "ahead_of_its_time": 1, "not_known_yet": 1, "unknown_item": 1, "unknown_user": 1, "unreadable_time": 1,
    }  # fmt: skip
    assert stage(run, "ingest").rows_in == stage(run, "ingest").rows_out + 5


def test_an_event_that_comes_after_a_window_closed_is_in_the_next_run_and_both_ways_come_to_the_same(
    tmp_path: Path,
) -> None:
    shown, outcomes = tables()
    noon = START + 2 * 86_400.0
    outcomes = plus(outcomes, event_ts=noon - 120, ingest_ts=noon + 420, kind="like")
    world = small_world(tmp_path / "w", shown, outcomes)
    likes = "SELECT count(*) FROM t WHERE kind = 'like'"
    built = engine(world)

    at_noon = built.run(PipelineConfig(as_of=noon), until="ingest")
    later = built.run(PipelineConfig(as_of=noon + 600), until="ingest")
    rebuilt = engine(small_world(tmp_path / "other", shown, outcomes)).run(
        PipelineConfig(as_of=noon + 600), until="ingest"
    )

    assert rows(dataset(built, at_noon, "outcomes_in"), likes) == [(0,)]
    assert rows(dataset(built, later, "outcomes_in"), likes) == [(1,)]
    assert later.stages[0].outputs == rebuilt.stages[0].outputs


def test_a_late_partition_is_another_input_and_is_read_with_the_others(tmp_path: Path) -> None:
    world = small_world(tmp_path / "w")
    built = engine(world)
    before = built.run(PipelineConfig(), until="ingest")
    _, outcomes = tables()
    part = world / "public" / "outcomes-late.parquet"
    pq.write_table(pa.table({name: c[-1:] for name, c in plus(outcomes, kind="like").items()}), part)
    whole = replace(built, sources=built.sources.handing_in(outcomes=(*built.sources.files["outcomes"], part)))

    after = whole.run(PipelineConfig(), until="ingest")

    assert after.stages[0].key != before.stages[0].key
    assert after.stages[0].rows_in == before.stages[0].rows_in + 1


def test_a_column_of_another_type_is_refused_and_not_cast(tmp_path: Path) -> None:
    shown, outcomes = tables()
    world = small_world(tmp_path / "w", {**shown, "item_id": shown["item_id"].astype(str)}, outcomes)

    with pytest.raises(SandboxError, match="PIPE-004") as caught:
        engine(world).run(PipelineConfig(), until="ingest")

    assert "column item_id" in caught.value.where
    assert caught.value.seen == "VARCHAR"


def test_who_asks_as_no_person_does_is_left_out_whole(tmp_path: Path) -> None:
    shown, outcomes = tables()
    n = 90  # requests within an hour, of user 7
    robot = {name: np.repeat(column[:1], n) for name, column in shown.items()}
    robot |= {"user_id": np.full(n, 7, np.int32), "request_id": 10**6 + np.arange(n), "ts": START + 10.0 * np.arange(n)}
    own = int((shown["user_id"] == 7).sum() + (outcomes["user_id"] == 7).sum())
    world = small_world(tmp_path / "w", {name: np.concatenate([shown[name], robot[name]]) for name in shown}, outcomes)
    built = engine(world)

    run = built.run(PipelineConfig(), until="bots")

    assert stage(run, "bots").dropped == {"bot": own + n}
    assert rows(dataset(built, run, "bots"), "SELECT user_id, rule FROM t") == [(7, "requests_per_hour")]


def test_only_what_is_allowed_then_and_now_is_used_and_nothing_of_the_erased(tmp_path: Path) -> None:
    shown, outcomes = tables()
    moment = START + 3 * 86_400.0
    world = small_world(tmp_path / "w", shown, outcomes, u4=("denied", moment))
    built = engine(world)
    consent = replace(built.sources.consent, erased=lambda: np.array([5]), version=lambda: "with user 5 erased")
    erasing: Engine = replace(built, sources=replace(built.sources, consent=consent))
    n = {u: int((shown["user_id"] == u).sum() + (outcomes["user_id"] == u).sum()) for u in (4, 5, WITHOUT_CONSENT)}
    later = int(((shown["user_id"] == 4) & (shown["ts"] >= moment)).sum())
    later += int(((outcomes["user_id"] == 4) & (outcomes["event_ts"] >= moment)).sum())

    run = erasing.run(PipelineConfig(), until="privacy")

    assert stage(run, "privacy").dropped == {
        "consent_withdrawn": n[4] - later, "erased": n[5], "no_consent": n[WITHOUT_CONSENT] + later,
    }  # fmt: skip
    left = "SELECT count(*) FROM t WHERE user_id IN (4, 5, 59)"
    assert rows(dataset(erasing, run, "impressions_allowed"), left) == [(0,)]


def test_events_with_sensitive_items_are_used_only_of_those_who_allow_it(tmp_path: Path) -> None:
    world = small_world(tmp_path / "w")
    built = engine(world)

    run = built.run(PipelineConfig(), until="sensitivity")
    strict = built.run(PipelineConfig(sensitivity={"purpose": "nobody_allows_this"}), until="sensitivity")

    assert stage(run, "sensitivity").dropped == {}
    labels = rows(dataset(built, run, "item_sensitivity"), "SELECT item_id FROM t WHERE sensitive ORDER BY 1")
    assert labels == [(0,), (1,), (2,)]
    assert set(stage(strict, "sensitivity").dropped) == {"sensitive_without_consent"}
    left = "SELECT count(*) FROM t WHERE item_id < 3"
    assert rows(dataset(built, strict, "impressions_kept"), left) == [(0,)]


def test_the_strictest_threshold_that_fits_counts() -> None:
    settings = Sensitivity(
        thresholds=[{"at_least": 0.6}, {"at_least": 0.4, "region": "EU"}, {"at_least": 0.2, "age_band": "13-17"}]
    )

    assert threshold(settings, "training", "US", "25-34") == 0.6
    assert threshold(settings, "training", "EU", "25-34") == 0.4
    assert threshold(settings, "training", "EU", "13-17") == 0.2
    assert threshold(Sensitivity(thresholds=()), "training", "EU", "13-17") > 1


def test_an_outcome_without_its_impression_or_out_of_the_window_is_no_label(tmp_path: Path) -> None:
    shown, outcomes = tables()
    outcomes = plus(plus(outcomes, request_id=999_999), kind="hide", event_ts=outcomes["event_ts"][0] + 90_000)
    outcomes["ingest_ts"] = outcomes["event_ts"]

    run = engine(small_world(tmp_path / "w", shown, outcomes)).run(PipelineConfig(), until="labels")

    assert stage(run, "labels").dropped == {"no_impression": 1, "outside_window": 1}


def test_rows_without_a_visit_are_put_into_one_until_a_long_gap(tmp_path: Path) -> None:
    shown, _ = tables()
    table = pa.table(shown)
    none = pa.nulls(len(table), pa.int64())
    world = small_world(tmp_path / "w")
    at = table.schema.get_field_index("session_id")
    pq.write_table(table.set_column(at, "session_id", none), world / "public" / "impressions.parquet")
    built = engine(world)

    run = built.run(NO_LIMITS, until="labels")

    visits = (
        "SELECT count(DISTINCT session_id), count(DISTINCT request_id), min(session_id) < 0 FROM t WHERE user_id = 3"
    )
    assert rows(dataset(built, run, "labels"), visits) == [(6, 18, True)]  # three requests within minutes, six days


def test_a_training_set_that_was_written_is_read_back_as_it_was_and_leaks_nothing(tmp_path: Path) -> None:
    from sandbox.pipeline.stages.training import read_joined

    built = engine(small_world(tmp_path / "w"))

    run = built.run(PipelineConfig(), until="training_set")

    ranker, towers = read_joined(dataset(built, run, "examples"), dataset(built, run, "tower_rows"))
    assert run.status == "done"
    assert len(ranker.examples) == stage(run, "training_set").rows_out
    assert (ranker.as_of <= ranker.examples.ts).all()
    assert towers.profile.shape == (int(ranker.examples.click.sum()), 36)
    assert ranker.x.std() > 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("training: {inputs: [item_stats.ctr_28]}", "item_stats.ctr_28d"),
        ("bots: {requests_per_hour: 0}", "greater than or equal to 1"),
        ("polish: 3", "Extra inputs"),
        ("seed: 1\nseed: 2", "each key once"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)

    with pytest.raises(SandboxError, match="PIPE-003") as caught:
        read_config(file)

    assert named in caught.value.expected
