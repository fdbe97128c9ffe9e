"""Dashboards: every measure is SQL that runs by every segment, and its lines are what the rows say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.room.panels.asking import Window
from sandbox.room.panels.dashboards import (
    MOST_LINES,
    MOST_POINTS,
    STEPS_S,
    Board,
    Wanted,
    chart_sql,
    drawn,
    lines,
    step_of,
)
from sandbox.room.panels.measures import BOARDS, SEGMENTS
from sandbox.telemetry.sql import SqlWorker
from tests.unit.room.panels.toy import write_lake
from tests.unit.telemetry.toy import START

HOUR = Window(START - 1_000, START + 2_600)
WHOLE = Window(START - 9_000, START + 9_000)  # clicks are old enough by its end


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlWorker]:
    with SqlWorker(write_lake(tmp_path_factory.mktemp("lake"))) as worker:
        yield worker


def values(board: Board, chart: str) -> dict[str, list[float | None]]:
    """Line -> its values, what is compared with it apart."""
    found = next(one for one in board.charts if one.name == chart)
    return {
        f"{line.name}{' beside' if line.beside else ''}": [value for _, value in line.points] for line in found.lines
    }


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_is_drawn_and_each_chart_can_be_evidence(lake: SqlWorker, board):
    found = drawn(lake, Wanted(board), HOUR)

    assert [chart.name for chart in found.charts] == [measure.name for measure in BOARDS[board]]
    assert all(lake.query(chart.sql).columns[:3] == ["t", "line", "n"] for chart in found.charts)
    assert [(mark.kind, mark.text) for mark in found.marks] == [
        ("change", "plain plain: 1 → 2 (plain)"), ("alert", "plain: plain"),
    ]  # fmt: skip


@pytest.mark.parametrize("column", SEGMENTS)
def test_every_segment_tells_the_lines_of_some_chart_apart(lake: SqlWorker, column: str):
    one_of = {measure.source: measure for board in BOARDS.values() for measure in reversed(board)}
    asked = [(measure, sql) for measure in one_of.values() if (sql := chart_sql([measure], column, "", WHOLE, 60))]

    assert asked
    for measure, sql in asked:
        assert lake.query(sql).rows
        assert lake.query(str(chart_sql([measure], column, f"{column}=x", WHOLE, 60))).rows == []


def test_figures_are_those_of_the_rows(lake: SqlWorker):
    quality, business = drawn(lake, Wanted("quality"), HOUR), drawn(lake, Wanted("business"), HOUR)

    assert values(quality, "ctr") == {"": [0.5, 0.5, 0.0]}
    assert values(quality, "calibration") == {"": [2.0, 2.0, 0.0]}
    assert values(quality, "diversity") == {"": [2.0, 2.0, 2.0]}
    assert values(quality, "conversions") == {}, "no click is an hour old"
    assert values(business, "revenue") == {"": [9.0]}
    later = drawn(lake, Wanted("quality"), Window(START - 1_000, START + 4_400))
    assert values(later, "conversions")[""][:2] == [1.0, 0.0]


def test_one_may_look_at_a_segment_alone_beside_another_and_beside_an_earlier_time(lake: SqlWorker):
    by = drawn(lake, Wanted("quality", by="creator_group", only="lang=plain", beside="category=topic 3"), HOUR)
    earlier = drawn(lake, Wanted("requests", earlier_s=60.0), HOUR)
    nobody = drawn(lake, Wanted("requests", only="region=' OR true --"), HOUR)

    assert set(values(by, "ctr")) == {"A", "B", "B beside"}
    chart = next(one for one in earlier.charts if one.name == "requests")
    here, there = chart.lines
    assert [ts + 60 for ts, _ in here.points] == [ts for ts, _ in there.points]
    assert [value for _, value in here.points] == [value for _, value in there.points]
    assert all(chart.lines == [] for chart in nobody.charts)


def test_versions_are_shares_whatever_else_they_are_asked_by(lake: SqlWorker):
    found = drawn(lake, Wanted("versions", by="region"), HOUR)

    assert values(found, "model_version") == {"plain": [1.0, 1.0, 1.0]}
    assert {chart.split for chart in found.charts} & {"region"} == set()


@pytest.mark.parametrize("wrong", [{"by": "nothing"}, {"only": "x=1"}, {"beside": "=", "by": ""}, {"only": "1=1"}])
def test_a_segment_that_there_is_not_is_refused(lake: SqlWorker, wrong):
    with pytest.raises(SandboxError, match="ROOM-006"):
        drawn(lake, Wanted("requests", **wrong), HOUR)


@given(minutes=st.floats(1, 1440), to_ts=st.floats(1e9, 2e9))
def test_a_window_has_whole_steps_and_few_enough(minutes: float, to_ts: float):
    window = Window.before(to_ts, minutes)
    step = step_of(window)
    whole = window.whole(step)

    assert step in STEPS_S
    assert (whole.to_ts % step, whole.from_ts % step) == (0, 0)
    assert 1 <= (whole.to_ts - whole.from_ts) / step <= MOST_POINTS + 1
    assert to_ts - step < whole.to_ts <= to_ts


ROWS = st.lists(
    st.tuples(st.integers(0, 5).map(lambda n: n * 60.0), st.sampled_from("abcdefghij"), st.integers(1, 9), st.floats(0.5, 9)),
    max_size=40, unique_by=lambda row: row[:2],
).map(lambda rows: [list(row) for row in sorted(rows)])  # fmt: skip


@given(rows=ROWS)
def test_shares_of_all_lines_come_to_one_and_the_commonest_are_kept(rows):
    found, more = lines(rows, share=True)
    counts = {name: sum(row[2] for row in rows if row[1] == name) for _, name, *_ in rows}

    assert more == (len(counts) > MOST_LINES)
    assert [line.name for line in found] == sorted(counts, key=lambda name: (-counts[name], name))[:MOST_LINES]
    for line in found:
        assert [ts for ts, _ in line.points] == sorted({row[0] for row in rows})
    if not more:
        for at in {row[0] for row in rows}:
            assert sum(dict(line.points)[at] or 0 for line in found) == pytest.approx(1, abs=1e-4)


def test_where_nothing_happened_a_count_is_zero_and_a_rate_is_nothing():
    rows = [[0.0, "a", 1, 2.0], [60.0, "b", 1, 3.0]]

    assert [line.points for line in lines(rows, counts_events=True)[0]] == [[(0, 2), (60, 0)], [(0, 0), (60, 3)]]
    assert [line.points for line in lines(rows)[0]] == [[(0, 2)], [(60, 3)]]
