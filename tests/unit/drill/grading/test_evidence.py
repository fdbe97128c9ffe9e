"""Evidence is what a healthy day would not say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.drill.grading.evidence import Day, moved, share_of, strength, z_of
from sandbox.drill.play.report import Statement
from sandbox.drill.scenario.queries import filled
from sandbox.telemetry.sql import SqlWorker

BEGAN = 1_772_000_000.0


def day(answer, began: float = BEGAN, later_s: float = 0.0) -> Day:
    """answer: SQL -> (columns, rows), or one answer to all."""
    ask = answer if callable(answer) else lambda _sql: answer
    return Day(ask, {"began": began, "paged": began + 600, "now": began + 1_200}, later_s)


def row(**columns):
    return list(columns), [list(columns.values())]


def judged(incident, *healthy):
    return strength(Statement(claim="c", sql="select 1"), day(incident), [day(h) for h in healthy])


def test_a_number_counts_by_how_far_it_lies_outside_of_what_healthy_days_say():
    # Range of healthy days 10, floor 5 % of 110: 15.5 is nothing, five times that is everything.
    def of(value: float) -> float:
        return judged(row(x=value), row(x=100.0), row(x=110.0), row(x=105.0)).value

    assert of(100.0) == 0.0
    assert of(115.0) == 0.0
    assert of(100 + 3 * 15.5) == pytest.approx(0.5)
    assert of(100 + 5 * 15.5) == of(100 - 5 * 15.5) == 1.0


def test_the_strongest_column_speaks_and_is_named():
    found = judged(row(n=50.0, lag_s=2_400.0), *(row(n=50.0, lag_s=s) for s in (60.0, 70.0, 65.0)))

    assert found.value == 1.0
    assert found.column == "lag_s"
    assert "2400" in found.why


def test_what_a_healthy_day_says_too_is_no_evidence():
    same = row(n=3, name="rk-1")

    found = judged(same, same, same, same)

    assert found.value == 0.0
    assert "same on a healthy day" in found.why


def test_words_count_only_where_healthy_days_agree():
    assert judged(row(v="rk-2"), row(v="rk-1"), row(v="rk-1"), row(v="rk-1")).value == 1.0
    assert judged(row(v="u9"), row(v="u1"), row(v="u2"), row(v="u3")).value == 0.0
    assert judged(row(v=True), row(v=False), row(v=False), row(v=False)).value == 1.0


def test_null_on_one_side_only_is_a_difference():
    assert judged(row(x=None), row(x=1.0), row(x=2.0), row(x=3.0)).value == 1.0
    assert judged(row(x=7.0), row(x=None), row(x=None), row(x=None)).value == 1.0
    assert judged(row(x=7.0), row(x=None), row(x=1.0), row(x=None)).value == 0.0
    assert judged((["x"], []), (["x"], []), (["x"], []), (["x"], [])).value == 0.0


def test_how_many_rows_there_are_counts():
    many, few = (["x"], [[1.0]] * 40), (["x"], [[1.0]])

    found = judged(many, few, few, few)

    assert found.value == 1.0
    assert found.column == "number of rows"


def test_times_are_compared_from_each_days_beginning():
    def answer(began: float, at_s: float):
        return day(row(t=datetime.fromtimestamp(began + at_s, UTC).replace(tzinfo=None)), began)

    others = [BEGAN, BEGAN + 86_400, BEGAN + 172_800]
    statement = Statement(claim="c", sql="select 1")
    late = strength(statement, answer(BEGAN, 4_000), [answer(b, 1_000) for b in others])
    alike = strength(statement, answer(BEGAN, 1_100), [answer(b, 1_000) for b in others])

    assert (late.value, alike.value) == (1.0, 0.0)


def test_a_query_that_draws_lots_proves_nothing():
    calls = iter(range(100))

    assert judged(lambda _sql: row(x=10.0 ** next(calls)), row(x=1.0), row(x=1.0), row(x=1.0)).value == 0


def test_a_query_that_fails_is_no_evidence_and_says_so():
    def refuse(sql: str):
        raise SandboxError("LAKE-004", where="SQL", seen="no such table", expected="x", fix="y")

    found = judged(refuse, row(x=1.0), row(x=1.0), row(x=1.0))

    assert found.value == 0.0
    assert "does not run" in found.why


def test_a_query_may_name_the_times_of_its_day():
    asked = []

    def note(sql: str):
        asked.append(sql)
        return row(x=1.0)

    days = [day(note, BEGAN), day(note, BEGAN + 60.0, later_s=60.0), day(note), day(note), day(note)]
    asks = Statement(claim="c", sql="select $paged, TIMESTAMP '2026-02-25 06:20:00'")
    strength(asks, days[0], days[1:])

    assert "2026-02-25 06:23:20" in asked[0]
    assert asked[0] == asked[1], "asked twice of the incident"
    assert "'2026-02-25 06:21:00.000000'" in asked[2]
    assert "06:24:20" in asked[2]


def test_a_dollar_that_names_no_time_is_left_to_the_database():
    assert filled("SELECT 'x' ~ 'a$', $$now$$, $1, $now", {"now": BEGAN}) == (
        "SELECT 'x' ~ 'a$', $$now$$, $1, TIMESTAMP '2026-02-25 06:13:20.000000'"
    )


def test_only_real_times_are_moved():
    assert moved("x = '2026-02-31 10:00:00' and y = 20260301", 60.0) == "x = '2026-02-31 10:00:00' and y = 20260301"
    assert moved("'2026-02-28T23:59:30'", 60.0) == "'2026-03-01 00:00:30.000000'"


@given(
    st.one_of(st.none(), st.floats(-1e9, 1e9), st.booleans(), st.text(max_size=3)),
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9), st.text(max_size=3)), min_size=3, max_size=4),
)  # fmt: skip
def test_strength_lies_between_none_and_all(value, healthy):
    assert 0.0 <= share_of(z_of(value, healthy)) <= 1.0
    assert z_of(healthy[0], healthy) == 0.0


def test_through_the_guarded_console_a_constant_is_worth_nothing_and_a_write_is_refused(tmp_path):
    with SqlWorker(tmp_path / "lake") as lake:

        def ask(sql: str):
            answer = lake.query(sql)
            return answer.columns, answer.rows

        days = [day(ask) for _ in range(5)]
        said = [Statement(claim="a", sql="select 9e9 as harm"), Statement(claim="b", sql="drop table requests"),
                Statement(claim="c", sql="select random() as x"), Statement(claim="d", sql="select $never")]  # fmt: skip
        found = [strength(one, days[0], days[1:]) for one in said]

    assert [f.value for f in found] == [0.0, 0.0, 0.0, 0.0]
    assert "does not run" in found[1].why
    assert "does not run" in found[3].why
