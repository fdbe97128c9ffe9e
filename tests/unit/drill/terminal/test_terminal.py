"""Lines at the prompt, questions, and answers by the page: with keys as a terminal sends them."""

from __future__ import annotations

import io
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console
from rich.text import Text

from sandbox.drill.terminal.prompt import Terminal, agreed, fitted, paged
from sandbox.drill.terminal.sql_text import is_ended, is_sql, statements
from sandbox.telemetry.answers import answer
from tests.unit.drill.desk import Scripted


@contextmanager
def typing(keys: str):
    """A terminal at which those keys were pressed."""
    with create_pipe_input() as pipe:
        pipe.send_text(keys)
        yield Terminal(["tables", "quit"], lambda: ["world 08:00"], input=pipe, output=DummyOutput())


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("tables\r", "tables"),
        ("select 1;\r", "select 1;"),
        ("select count(*)\rfrom requests\r;\r", "select count(*)\nfrom requests\n;"),
        ("select ';'\r;\r", "select ';'\n;"),
        ("select 1 -- no end;\r;\r", "select 1 -- no end;\n;"),
        ("\x1b[200~select 1\nfrom requests;\x1b[201~\r", "select 1\nfrom requests;"),
        ("select 1\r\rfrom requests;\r", "select 1\n\nfrom requests;"),  # a paste without brackets
    ],
)
def test_a_command_ends_with_its_line_and_sql_with_its_semicolon(keys, line):
    with typing(keys) as terminal:
        assert terminal.line() == line


def test_an_empty_line_ends_sql_too():
    with typing("select 1\r\r") as terminal:
        assert terminal.line() == "select 1\n"


def test_several_statements_pasted_are_one_line_after_the_other():
    with typing("select 1;\rselect 2;\rtables\r") as terminal:
        assert [terminal.line() for _ in range(3)] == ["select 1;", "select 2;", "tables"]


def test_ctrl_c_clears_the_line_and_ctrl_d_ends_the_input():
    with typing("select 1\x03tables\r\x04") as terminal:
        assert terminal.line() == "tables"
        assert terminal.line() is None


def test_a_question_is_answered_on_one_line_and_can_be_broken_off():
    with typing("select 1\r\x03\x04") as terminal:
        assert terminal.ask("Which?") == "select 1", "an answer is no query"
        with pytest.raises(KeyboardInterrupt):
            terminal.ask("Which?")
        with pytest.raises(EOFError):
            terminal.ask("Which?")


@pytest.mark.parametrize(
    ("answers", "agrees"),
    [(["yes"], True), (["Y"], True), (["no"], False), ([""], False), (["yesy", "sure", "n"], False)],
)
def test_only_yes_is_yes(answers, agrees):
    ask = Scripted(*answers)
    assert agreed(ask, "Do it?") is agrees
    assert ask.left == 0


@given(st.lists(st.text("ab;'\"-/*$ \n", max_size=12), max_size=4))
def test_statements_are_found_whatever_is_quoted_or_commented(parts):
    text = ";".join(parts)
    found = statements(text)
    assert all(part.strip() for part in found)
    assert len(found) <= text.count(";") + 1
    if is_ended(text):
        assert text.rstrip(" \n;") or not found


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("select 1;", True), ("select 1; ", True), ("select 1; -- so", True), ("select 1", False),
        ("select ';", False), ("select ';'", False), ("select 1; select 2", False), ("select /* ; */ 1", False),
        ("select $$;$$", False), ("select $began;", True), ("select 'it''s';", True), ('select 1 as ";"', False),
    ],
)  # fmt: skip
def test_where_sql_ends(text, ended):
    assert is_sql(text)
    assert is_ended(text) is ended


@pytest.mark.parametrize("text", ["foo", "tables", "act path", "describe x", "", "selct 1", "report x"])
def test_what_is_no_sql(text):
    assert not is_sql(text)


def page_through(lines: int, *answers: str) -> tuple[str, int]:
    console = Console(file=io.StringIO(), width=80)
    ask = Scripted(*answers)
    paged(console, Text("\n".join(f"line {n}" for n in range(lines))), ask, lines=12)
    assert ask.left == 0
    return console.file.getvalue(), len(ask.asked)


def test_a_long_answer_comes_by_the_page_and_can_be_stopped():
    assert page_through(10) == ("".join(f"line {n}\n" for n in range(10)), 0)
    whole, asked = page_through(25, "", "")
    assert asked == 2
    assert whole.count("line") == 25
    assert page_through(25, "q")[0].count("line") == 10
    assert page_through(100, "a")[0].count("line") == 100


def test_where_nobody_reads_nothing_is_asked():
    console = Console(file=io.StringIO(), width=80)
    paged(console, Text("\n".join("x" * 100)), None, lines=12)
    assert console.file.getvalue().count("x") == 100


@given(parts=st.lists(st.text("ab ", min_size=1, max_size=30), min_size=1), width=st.integers(20, 120))
def test_the_toolbar_fits_its_line(parts, width):
    shown = fitted(parts, width)
    assert len(shown) <= width
    assert "\n" not in shown


def drawn(columns: list[str], rows: list[list[object]], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(answer(columns, rows, width))
    return console.file.getvalue()


def test_a_row_too_wide_for_the_terminal_stands_by_itself_a_line_for_each_column():
    columns = [f"column_{n}" for n in range(12)]
    rows = [[float(n) for n in range(12)] for _ in range(30)]

    wide, narrow = drawn(columns, rows, 200), drawn(columns, rows, 80)

    assert "┃" in wide
    assert "┃" not in narrow
    assert narrow.count("column_11") == 30
    assert "row 30" in narrow
    assert max(map(len, narrow.splitlines())) <= 80
    assert "column_11" in drawn(columns, [], 80), "no row, but its columns"
