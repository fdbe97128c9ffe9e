"""What a trainee looked at is kept, with its times, and what was noted otherwise is read on."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.play.notebook import Look, Notebook

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda part: st.lists(part) | st.dictionaries(st.text(max_size=8), part),
)


def test_looks_are_read_as_they_were_noted(tmp_path):
    book = Notebook(tmp_path, wall=lambda: 7.0)

    book.note_look("select 1", 100.0)
    book.note_look("trace slowest", 130.0, is_query=False)

    assert book.looks() == [Look("select 1", True, 100.0, 7.0), Look("trace slowest", False, 130.0, 7.0)]
    assert Notebook(tmp_path).asked() == ["select 1"], "a report quotes queries"


def test_a_notebook_of_before_has_queries_without_times(tmp_path):
    (tmp_path / "asked.jsonl").write_text('"select 1"\n')
    Notebook(tmp_path).note_look("select 2", 100.0)

    assert [(look.text, look.world_ts) for look in Notebook(tmp_path).looks()] == [
        ("select 1", None),
        ("select 2", 100.0),
    ]


@given(lines=st.lists(JSON, max_size=4))
def test_a_line_that_is_no_look_is_passed_over(tmp_path_factory, lines):
    place = tmp_path_factory.mktemp("book")
    (place / "asked.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"text": "cut o')

    assert [look.text for look in Notebook(place).looks()] == [line for line in lines if isinstance(line, str)]
