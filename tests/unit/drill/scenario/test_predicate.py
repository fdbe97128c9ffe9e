"""Predicates judge the first row of an answer, and can do nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.scenario.predicate import Predicate, PredicateError


@pytest.mark.parametrize(
    ("text", "row", "rows", "holds"),
    [
        ("value > 3", {"value": 4}, 1, True),
        ("value > 3", {"value": 3}, 1, False),
        ("1 < value <= 3", {"value": 3}, 1, True),
        ("now_ms > before_ms * 2 + 5", {"now_ms": 30.0, "before_ms": 12.0}, 1, True),
        ("rows >= 1", {}, 0, False),
        ("rows == 0", {}, 0, True),
        ("not (value > 3) and rows == 1", {"value": 1}, 1, True),
        ("abs(a - b) < 0.5 or name == 'de'", {"a": 1, "b": 3, "name": "de"}, 1, True),
        ("max(a, b) / min(a, b) > 2", {"a": 1, "b": 3}, 1, True),
    ],
)
def test_a_predicate_says_what_it_says(text, row, rows, holds):
    assert Predicate.parse(text).holds(row, rows) is holds


def test_a_null_convinces_nobody_but_hides_nothing_either():
    predicate = Predicate.parse("a > 1 or b > 1")

    assert predicate.holds({"a": None, "b": 2}, 1)
    assert not predicate.holds({"a": None, "b": 0}, 1)
    assert not Predicate.parse("not a > 1").holds({"a": None}, 1)
    assert not Predicate.parse("a / b > 0").holds({"a": 1, "b": 0}, 1)
    assert not Predicate.parse("a > 1").holds({}, 0), "no row at all"


@pytest.mark.parametrize(
    "hostile",
    [
        "__import__('os').system('true')", "value.__class__", "(lambda: 1)()", "[x for x in y]",
        "value ** value", "open('x')", "'a' % value", "value if rows else 0", "f'{value}'",
        "value[0]", "a := 3", "", "value >", "max()", "max(a, key=b)", "x" * 400, "(" * 250 + ")" * 250,
    ],
)  # fmt: skip
def test_what_is_beyond_the_language_is_refused_when_read(hostile):
    with pytest.raises(PredicateError):
        Predicate.parse(hostile)


def test_a_string_cannot_be_blown_up():
    with pytest.raises(PredicateError):
        Predicate.parse("name * 1000000000 == 'x'").holds({"name": "x"}, 1)


def test_a_column_that_the_answer_lacks_is_an_error_and_not_a_no():
    with pytest.raises(PredicateError, match="valu"):
        Predicate.parse("valu > 3").holds({"value": 4}, 1)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_comparison_agrees_with_python(a, b):
    assert Predicate.parse("a > b").holds({"a": a, "b": b}, 1) == (a > b)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text):
    try:
        predicate = Predicate.parse(text)
    except PredicateError:
        return
    assert predicate.holds(dict.fromkeys(predicate.names), 1) in (True, False)
