"""Nothing is on record before it has happened: over every table of a virtual run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from sandbox.base.schema import TABLES
from sandbox.telemetry.lake import connect
from sandbox.virtual.stack import VirtualStack

MINUTE = 60.0
# Columns that say when something happened, and the column of the same row that says when it was recorded.
HAPPENED = ("event_ts", "last_event_ts", "last_processed_ts", "feature_event_ts", "source_max_event_ts",
            "window_end", "intended_ts")  # fmt: skip
RECORDED = ("ingest_ts", "finished", "ts")


@pytest.fixture(scope="module")
def run(home: Path, tmp_path_factory: pytest.TempPathFactory) -> VirtualStack:
    """An hour and a half of world time: long enough for conversions that come late."""
    stack = VirtualStack("tiny", tmp_path_factory.mktemp("time") / "run", seed=5, rate_per_s=12.0)
    stack.advance(stack.began_ts + 90 * MINUTE)
    stack.flush()
    return stack


@pytest.fixture(scope="module")
def lake(run: VirtualStack) -> Iterator[DuckDBPyConnection]:
    with connect(run.run.lake) as connection:
        yield connection


def pairs() -> list[tuple[str, str, str]]:
    return [
        (table.name, happened, recorded)
        for table in TABLES.values()
        if table.writer != "pipeline"  # of a world's history, in no run's lake
        for recorded in [name for name in RECORDED if name in table.names][:1]
        for happened in HAPPENED
        if happened in table.names
    ]


def one(lake: DuckDBPyConnection, sql: str) -> Any:
    found = lake.execute(sql).fetchone()
    assert found is not None
    return found


def test_the_tables_meant_are_among_those_looked_at():
    assert {
        ("outcomes", "event_ts", "ingest_ts"),
        ("stream_stats", "last_event_ts", "ts"),
        ("served_features", "feature_event_ts", "ts"),
    } <= set(pairs())


@pytest.mark.parametrize(("table", "happened", "recorded"), pairs())
def test_no_row_is_recorded_before_what_it_tells_has_happened(lake, table, happened, recorded):
    n, early = one(lake, f"SELECT count(*), count(*) FILTER ({happened} > {recorded}) FROM {table}")

    assert n > 0
    assert early == 0


def test_what_follows_from_a_click_arrives_after_it(lake):
    kinds = lake.execute("""
        SELECT f.kind, count(*), bool_and(f.event_ts > c.event_ts), bool_and(f.ingest_ts >= c.ingest_ts)
        FROM outcomes f JOIN outcomes c ON c.kind = 'click' AND c.request_id = f.request_id AND c.item_id = f.item_id
        WHERE f.kind IN ('dwell', 'like', 'conversion') GROUP BY 1 ORDER BY 1""").fetchall()
    (orphans,) = one(
        lake,
        """
        SELECT count(*) FROM outcomes f WHERE kind IN ('dwell', 'like', 'conversion') AND NOT EXISTS (
          SELECT 1 FROM outcomes c WHERE c.kind = 'click' AND c.request_id = f.request_id AND c.item_id = f.item_id)
    """,
    )

    assert [kind for kind, *_ in kinds] == ["conversion", "dwell", "like"]
    assert all(n > 0 and after and arrived for _, n, after, arrived in kinds)
    assert orphans == 0


def test_a_dwell_ends_as_long_after_its_click_as_it_says(lake):
    (off,) = one(
        lake,
        """
        SELECT max(abs(epoch(d.event_ts) - epoch(c.event_ts) - d.value)) FROM outcomes d
        JOIN outcomes c ON c.kind = 'click' AND c.request_id = d.request_id AND c.item_id = d.item_id
        WHERE d.kind = 'dwell'""",
    )

    assert off < 1e-3


def test_all_that_happened_in_time_arrives_soon_after(lake):
    (late_s,) = one(lake, "SELECT max(epoch(ingest_ts) - epoch(event_ts)) FROM outcomes")

    assert late_s < 75, "a wall second is gathered at most, and the call takes its time"


def test_conversions_that_mature_after_the_end_are_in_the_truth_alone(run, lake):
    (arrived, last) = one(lake, "SELECT count(*), max(epoch(event_ts)) FROM outcomes WHERE kind = 'conversion'")

    assert 0 < arrived < run.ledger.requests.conversions.sum()
    assert last <= run.now()


def test_a_healthy_stack_shows_nothing_against_policy(run):
    assert run.ledger.requests.n_items.sum() > 1_000
    assert run.ledger.requests.breaches.sum() == 0
