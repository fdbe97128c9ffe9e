"""Answers are held against each other as tables: whatever their order, by what tells their rows apart."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.grading import tables
from sandbox.drill.grading.evidence import WIDE, Day, strength
from sandbox.drill.grading.tables import Since, cells, plain, width
from sandbox.drill.play.report import Statement

BEGAN = 1_772_000_000.0
SAYS = Statement(claim="c", sql="select lang, n from items")


def table(columns: list[str], *rows: list) -> tables.Answer:
    return plain(columns, list(rows), BEGAN)


def day(columns: list[str], rows: list[list]) -> Day:
    return Day(lambda _sql: (columns, rows), {"began": BEGAN, "paged": BEGAN, "now": BEGAN})


def judged(columns: list[str], incident: list[list], *healthy: list[list], sql: str = SAYS.sql):
    return strength(Statement(claim="c", sql=sql), day(columns, incident), [day(columns, rows) for rows in healthy])


BY_LANGUAGE = [["en", 100.0], ["de", 50.0], ["fr", 40.0], ["es", 30.0]]
ELSEWHERE = [[["en", 100.0 + k], ["de", 50.0 + k], ["fr", 40.0 + k], ["es", 30.0 + k]] for k in range(4)]


def test_one_language_that_vanishes_from_a_table_is_strong_in_any_order():
    hit = [["en", 101.0], ["fr", 41.0], ["de", 0.0], ["es", 30.0]]

    one = judged(["lang", "n"], hit, *ELSEWHERE)
    other = judged(["lang", "n"], hit[::-1], *(rows[::-1] for rows in ELSEWHERE))

    assert one.value == other.value > 0.9
    assert one.column == "n of de"


def test_ascending_and_descending_are_one_question():
    backlog = [[float(n)] for n in range(100, 130)]
    usual = [[[float(n % (3 + k))] for n in range(30)] for k in range(4)]

    up = judged(["backlog"], sorted(backlog), *usual)
    down = judged(["backlog"], sorted(backlog, reverse=True), *usual)

    assert up.value == down.value == 1.0


def test_a_series_by_the_minute_is_told_by_its_quarters():
    """Noise of a minute drowns a step that no quarter of an hour hides."""

    def series(step: float, k: int):
        when = [datetime.fromtimestamp(BEGAN + 60 * m, UTC).replace(tzinfo=None) for m in range(80)]
        return [[t, 20.0 + 7 * ((3 * m + k) % 5) + step * (m >= 40)] for m, t in enumerate(when)]

    days = [series(0.0, k) for k in range(4)]

    found = judged(["minute", "p50"], series(40.0, 0), *days)

    assert found.value > 0.9
    assert found.column == "p50 in quarter 3 of the time"
    assert judged(["minute", "p50"], days[0], *days).value == 0.0


def test_what_moved_in_no_row_is_nothing():
    assert judged(["lang", "n"], ELSEWHERE[0], *ELSEWHERE).value == 0.0


def test_rows_by_depth_are_known_by_the_depth_and_not_by_their_count():
    rows = [[1, 900], [2, 500], [3, 200]]
    lagging = [[1, 900], [2, 500], [3, 20]]

    found = judged(["depth", "n"], lagging, rows, *[[[d, n + k] for d, n in rows] for k in (1, 2, 3)])

    assert found.column == "n of 3"
    assert found.value > 0.9


def test_a_row_that_is_not_there_speaks_only_where_days_have_the_same_rows():
    versions = [["ranker", "rk-1"], ["two_tower", "tt-1"]]
    more = judged(["artifact", "version"], [*versions, ["ranker", "rk-2"]], *[versions] * 4)
    slowest = [[f"r{k}{n}", 100.0 + n] for k in (0,) for n in range(5)]
    others = [[[f"r{k}{n}", 100.0 + n + k] for n in range(5)] for k in (1, 2, 3, 4)]

    assert more.value > 0.9
    assert "a row ranker, rk-2" in more.column
    assert judged(["request_id", "ms"], slowest, *others).value == 0.0, "requests are others each day"


def test_a_wide_net_of_columns_is_no_argument():
    """One of 21 columns has moved tenfold: enough for an argument about it, not for a net."""
    names = [f"c{n}" for n in range(21)]
    usual = [[[float(n + k) for n in range(100, 121)]] for k in (0, 1, 2, 3)]
    caught = [[1_000.0, *usual[0][0][1:]]]

    net = judged(names, caught, *usual)
    alone = judged(names[:1], [caught[0][:1]], *[[rows[0][:1]] for rows in usual])

    assert alone.value == 1.0
    assert net.value == pytest.approx((WIDE / 21) ** 2, abs=1e-3)
    assert "a wide net" in net.why


def test_a_net_told_as_a_long_table_is_as_wide():
    parts = " UNION ALL ".join(["SELECT 'a' AS name, 1.0 AS x"] * 20)

    assert width(table(["name", "x"], ["a", 1.0], ["b", 2.0]), parts) == 20
    assert width(table(["x", "y", "z"], [1.0, 2.0, 3.0]), "select") == 3


@pytest.mark.parametrize("n", [1, 5, 30])
def test_the_more_is_looked_at_the_further_out_it_has_to_lie(n):
    rows = [[f"k{i}", 100.0] for i in range(n)]
    days = [[[f"k{i}", 100.0 + k] for i in range(n)] for k in range(4)]
    odd = [["k0", 130.0], *rows[1:]]  # three times what healthy days differ by, with the floor

    found = judged(["k", "x"], odd, *days).value

    assert found == pytest.approx(max(0.0, (30 / (3 + 5.15) / (n + 1) ** (1 / 3) - 1) / 4), abs=0.06)


numbers = st.floats(-1e6, 1e6) | st.none() | st.integers(-100, 100)
answers = st.lists(st.tuples(st.sampled_from("abcdef"), numbers, numbers), max_size=6)


@given(answers, st.lists(answers, min_size=4, max_size=4), st.randoms(use_true_random=False))
def test_no_order_of_rows_changes_anything(incident, healthy, chance: random.Random):
    def shuffled(rows):
        rows = [list(r) for r in rows]
        chance.shuffle(rows)
        return rows

    columns = ["k", "x", "y"]
    straight = judged(columns, [list(r) for r in incident], *[[list(r) for r in h] for h in healthy])
    mixed = judged(columns, shuffled(incident), *[shuffled(h) for h in healthy])

    assert 0.0 <= straight.value <= 1.0
    if straight.value != mixed.value:  # only where rows cannot be told apart does their place count
        keys = [r[0] for r in incident]
        assert len(set(keys)) < len(keys) or any(len({r[0] for r in h}) < len(h) for h in healthy)


@given(answers, st.lists(answers, min_size=4, max_size=4))
def test_what_a_healthy_day_says_too_is_never_evidence(incident, healthy):
    rows = [[list(r) for r in h] for h in healthy]

    assert judged(["k", "x", "y"], rows[0], *rows).value == 0.0


def test_times_are_those_of_the_day_and_columns_of_one_name_are_told_apart():
    told = plain(["t", "t"], [[datetime.fromtimestamp(BEGAN + 90, UTC), 1]], BEGAN)

    assert told.columns == ("t", "t (2)")
    assert told.rows == ((Since(90.0), 1.0),)
    assert [c.name for c in cells(told, [told] * 5)] == ["t", "t (2)"]
