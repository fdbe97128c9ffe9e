from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.world.importers.source import Skips
from sandbox.world.importers.text import MAX_FIELD, open_table

ROWS = [["user", "title", "n"], ["Zoë", "Crème, brûlée", "1"], ["Ann", "plain", "2"]]


def table_of(path: Path, **options):
    table, skipped = open_table(path, **options), Skips()
    return table, [row for _, row in table.rows(skipped)], skipped


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_same_table_is_read_in_every_encoding_and_with_every_delimiter(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "log.csv"
    lines = [delimiter.join(f'"{value}"' for value in row) for row in ROWS]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    table, rows, skipped = table_of(path)
    assert table.names == tuple(ROWS[0])
    assert rows == ROWS[1:]
    assert not skipped


def test_lines_of_another_encoding_within_a_utf8_file_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"user,n\n" + "Zoë,1\n".encode() + "Zoë,2\n".encode("latin-1"))
    _, rows, _ = table_of(path)
    assert rows == [["Zoë", "1"], ["Zoë", "2"]]


def test_a_packed_file_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert table_of(path)[1] == [["1", "2"]]


def test_a_cut_off_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 300 + b"a,b\n1,2\n" * 9_000)[:-2_000])
    with pytest.raises(SandboxError, match="WORLD-002"):
        table_of(path)


def test_broken_rows_are_counted_by_what_is_wrong_with_them(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    huge = "x" * (MAX_FIELD + 10)
    path.write_bytes(b"a,b\n1,2\n\n3\n4,5,6\n7,\0\n8," + huge.encode() + b"\n9,10\n" + b"1,2\n" * 200)
    _, rows, skipped = table_of(path)
    assert rows[:2] == [["1", "2"], ["9", "10"]]
    assert skipped == {
        "too few columns": 1,
        "too many columns": 1,
        "NUL byte in the row": 1,
        "field too long or stray quote": 1,
    }
    assert skipped.first["too few columns"].endswith("line 4")


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"a,b\n1,2\n" + b"y" * (3 << 20) + b"\n3,4\n")
    _, rows, skipped = table_of(path)
    assert rows == [["1", "2"], ["3", "4"]]
    assert skipped["line too long"] == 1


@pytest.mark.parametrize("content", [b"", b"\n\n \n", b"PAR1" + bytes(range(256)), b"one column\nand no more\n"])
def test_what_is_no_table_is_refused_with_the_file_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        open_table(path)
    assert "log.csv" in refused.value.where


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_path_without_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SandboxError, match="WORLD-002"):
        open_table(tmp_path / name)


def test_old_macintosh_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"a,b\r1,2\r3,4\r")
    assert table_of(path)[1] == [["1", "2"], ["3", "4"]]


@given(content=st.binary(max_size=400))
def test_no_bytes_crash_the_reader(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "log"
    path.write_bytes(content)
    try:
        table, rows, _ = table_of(path)
    except SandboxError:
        return
    assert all(len(row) == table.width for row in rows)
