"""A quote is a quote only where the file uses quoting, and no row swallows the rows below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.world.importers.source import Skips
from sandbox.world.importers.text import open_table


def rows_of(path: Path, text: str, **options) -> tuple[list[list[str]], Skips]:
    path.write_text(text, newline="")
    skipped = Skips()
    return [row for _, row in open_table(path, **options).rows(skipped)], skipped


def log_lines(n: int, delimiter: str = "\t", title="Song {}") -> list[str]:
    return [
        delimiter.join((f"u{k % 7}", f"2015-06-{1 + k % 28:02d}T10:00:00Z", f"i{k % 9}", title.format(k)))
        for k in range(n)
    ]


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|"])
@pytest.mark.parametrize("stray", ['"Heroes', '"Weird" Al', 'say "hi', '"', 'end"', '""'])
@pytest.mark.parametrize("place", [1, 60, 2_500])
def test_one_stray_quote_costs_no_row(tmp_path, delimiter: str, stray: str, place: int) -> None:
    lines = log_lines(3_000, delimiter)
    lines[place] = delimiter.join((*lines[place].split(delimiter)[:3], stray))
    rows, skipped = rows_of(tmp_path / "log", "\n".join(lines) + "\n", header=False)
    assert (len(rows), dict(skipped)) == (3_000, {})
    if stray != '""' and stray != '"':
        assert rows[place][3] == stray
    assert rows[place + 1][3] == f"Song {place + 1}"


def test_a_pair_of_stray_quotes_far_apart_does_not_make_one_field(tmp_path: Path) -> None:
    lines = log_lines(400)
    lines[20] = lines[20].replace("Song 20", '"Heroes')
    lines[90] = lines[90].replace("Song 90", 'the end"')
    rows, skipped = rows_of(tmp_path / "log", "\n".join(lines), header=False)
    assert (len(rows), dict(skipped)) == (400, {})


def test_a_stray_quote_in_a_file_that_quotes_costs_at_most_its_own_row(tmp_path: Path) -> None:
    lines = ['"user","title","n"']
    lines += [f'"u{k}","Title, number {k}","{k}"' for k in range(500)]
    lines[100] = '"u99","a "stray, one","99"'
    lines[200] = '"u199","never closed,"199"'
    rows, skipped = rows_of(tmp_path / "log.csv", "\r\n".join(lines))
    assert len(rows) + sum(skipped.values()) == 500
    assert len(rows) >= 498
    assert rows[50] == ["u50", "Title, number 50", "50"]
    assert rows[-1] == ["u499", "Title, number 499", "499"]


def test_quoted_fields_may_run_over_lines_and_hold_quotes(tmp_path: Path) -> None:
    lines = ["id,text,n"]
    for k in range(300):
        lines.append(f'{k},"first, line of {k}\nand a ""second"" one",{k % 5}' if k % 3 == 0 else f"{k},plain,1")
    rows, skipped = rows_of(tmp_path / "log.csv", "\n".join(lines))
    assert (len(rows), dict(skipped)) == (300, {})
    assert rows[3] == ["3", 'first, line of 3\nand a "second" one', "3"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r'"The \"Best\" of; \"Both\""', 'The "Best" of; "Both"'),
        (r'"A \"B\" C"', 'A "B" C'),
        (r'"ends with \\"', "ends with \\"),
        ('"plain"', "plain"),
    ],
)
def test_backslashes_escape_quotes_where_the_file_escapes_so(tmp_path, written, meant) -> None:
    lines = ["item;title", *(f'"{k}";"The \\"{k}\\" one"' for k in range(40)), f'"x";{written}']
    rows, skipped = rows_of(tmp_path / "items.csv", "\n".join(lines))
    assert (len(rows), dict(skipped)) == (41, {})
    assert rows[-1] == ["x", meant]
    assert rows[3] == ["3", 'The "3" one']


def test_a_path_that_ends_in_a_backslash_escapes_nothing(tmp_path: Path) -> None:
    lines = ["a,b,c", *(f'"{k}","C:\\dir, new\\","x"' for k in range(30))]
    rows, skipped = rows_of(tmp_path / "log.csv", "\n".join(lines))
    assert (len(rows), dict(skipped)) == (30, {})
    assert rows[0] == ["0", "C:\\dir, new\\", "x"]


def test_a_blank_before_a_quote_is_no_part_of_the_field(tmp_path: Path) -> None:
    lines = ["a, b, c", *(f'{k}, "one, two", 3' for k in range(30))]
    rows, skipped = rows_of(tmp_path / "log.csv", "\n".join(lines))
    assert (len(rows), dict(skipped)) == (30, {})
    assert rows[0] == ["0", "one, two", "3"]


def test_titles_that_stand_in_quotes_keep_them_in_a_file_without_quoting(tmp_path: Path) -> None:
    lines = log_lines(200)
    lines[5] = lines[5].replace("Song 5", '"Heroes"')
    lines[6] = lines[6].replace("Song 6", '"Weird" Al')
    rows, _ = rows_of(tmp_path / "log", "\n".join(lines), header=False)
    assert (rows[5][3], rows[6][3]) == ('"Heroes"', '"Weird" Al')


def test_a_line_that_names_the_separator_is_no_header(tmp_path: Path) -> None:
    rows, skipped = rows_of(tmp_path / "log.csv", "sep=;\na;b\n" + "1,5;2\n" * 5)
    assert rows == [["1,5", "2"]] * 5
    assert not skipped


def test_delimiters_at_the_end_of_every_line_are_no_columns(tmp_path: Path) -> None:
    rows, skipped = rows_of(tmp_path / "log.csv", "a,b\n" + "1,2,\n" * 5 + "1,2,3\n")
    assert rows == [["1", "2"]] * 5
    assert skipped == {"too many columns": 1}
