"""Delimited text of unknown make, row by row: encoding, compression, delimiter and quoting recognised."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from sandbox.world.importers.source import Skips, refuse

MAX_FIELD = 65_536  # characters; a longer field is a stray quote or not a table
MAX_LINE = 1 << 20  # bytes
MAX_BYTES = 4 << 30  # unpacked; a small archive may hide a huge file
DELIMITERS = (",", "\t", ";", "|")
_HEAD = 1 << 16
_SNIFF_ROWS = 100


@dataclass(frozen=True)
class TextTable:
    """A delimited file whose make is known.

    names: header, stripped; "1", "2", ... where the file has none. width: fields of a sound row.
    encoding: utf-16, or utf-8, in which lines that are not UTF-8 are read as Windows-1252.
    """

    path: Path
    names: tuple[str, ...]
    has_header: bool
    delimiter: str
    encoding: str
    quoting: int

    @property
    def width(self) -> int:
        return len(self.names)

    def line(self, number: int) -> str:
        return f"{self.path}, line {number}"

    def rows(self, skipped: Skips) -> Iterator[tuple[int, list[str]]]:
        """Line number (from 1, of the row's end) and fields of every sound row; others are counted."""
        reader = _reader(_lines(self.path, self.encoding, skipped), self.delimiter, self.quoting)
        waiting_for_header = self.has_header
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:  # the reader starts afresh at the next line
                skipped.row("field too long or stray quote", self.line(reader.line_num))
                continue
            if waiting_for_header:
                waiting_for_header = False
            elif not any(row):
                continue
            elif len(row) != self.width:
                reason = "too few columns" if len(row) < self.width else "too many columns"
                skipped.row(reason, self.line(reader.line_num))
            elif any("\0" in value for value in row):
                skipped.row("NUL byte in the row", self.line(reader.line_num))
            else:
                yield reader.line_num, row


def open_table(
    path: Path, *, header: bool = True, delimiter: str | None = None, wanted: Sequence[str] = (),
    quoting: int = csv.QUOTE_MINIMAL,
) -> TextTable:  # fmt: skip
    """Recognise a file. wanted: column names that its header should hold, where they are known.

    Raises WORLD-002 when the file is missing, empty, binary, damaged or has a single column.
    """
    head = _head(path)
    encoding = _encoding(path, head)
    lines: list[str] = []
    for line in _lines(path, encoding, Skips()):
        if line.strip():
            lines.append(line)
        if len(lines) >= _SNIFF_ROWS:
            break
    if not lines:
        refuse(str(path), "an empty file", "a table with a row per record", "name another file")
    chosen = delimiter or _sniff(lines, wanted, quoting)
    first = _first_row(lines, chosen, quoting)
    if len(first) < 2:
        refuse(
            f"{path}, line 1", lines[0].strip()[:80],
            "columns separated by comma, tab, semicolon or |", "export the table with one of these",
        )  # fmt: skip
    names = [name.strip().strip("\0") for name in first] if header else []
    return TextTable(
        path, tuple(names or map(str, range(1, len(first) + 1))), header, chosen, encoding, quoting
    )


def digest_of(*paths: Path) -> str:
    """SHA-256 of the bytes of several files, in the order given."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()


def _reader(lines: Iterator[str], delimiter: str, quoting: int) -> Any:
    csv.field_size_limit(MAX_FIELD)
    return csv.reader(lines, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]


def _first_row(lines: Sequence[str], delimiter: str, quoting: int) -> list[str]:
    try:
        return next(_reader(iter(lines), delimiter, quoting), [])
    except csv.Error:
        return []


def _sniff(lines: Sequence[str], wanted: Sequence[str], quoting: int) -> str:
    """The delimiter under which most rows have the commonest width, then the widest."""

    def worth(delimiter: str) -> tuple[int, float, int]:
        widths: Counter[int] = Counter()
        reader = _reader(iter(lines), delimiter, quoting)
        first: list[str] | None = None
        while True:
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error:
                continue
            first = row if first is None else first
            widths[len(row)] += 1
        width, count = max(widths.items(), key=lambda pair: (pair[1], pair[0]), default=(1, 0))
        named = sum(name in [value.strip() for value in first or ()] for name in wanted)
        return named, (count / len(lines) if width > 1 else 0.0), width

    return max(DELIMITERS, key=worth)


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb") if packed else path.open("rb"))


def _head(path: Path) -> bytes:
    if not path.is_file():
        refuse(
            str(path), "a folder" if path.is_dir() else "no such file", "a readable file",
            "check the path",
        )  # fmt: skip
    try:
        with _open(path) as file:
            return file.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        refuse(str(path), str(error), "a readable file, plain or gzip", "fetch the file again")


def _encoding(path: Path, head: bytes) -> str:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    nul = head.count(0)
    if nul > 0.3 * len(head):  # no mark at the front: Latin text in UTF-16 has every other byte 0
        for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):
            if head[start::2].count(0) > 0.7 * (len(head) // 2):
                return name
    if nul > 0.02 * len(head) or head[:4] in (b"PK\x03\x04", b"PAR1"):
        refuse(
            str(path), f"binary content ({head[:8]!r}...)", "delimited text, plain or gzip",
            "export the table as CSV",
        )  # fmt: skip
    return "utf-8"


def _lines(path: Path, encoding: str, skipped: Skips) -> Iterator[str]:
    """Decoded lines with any line end. Raises WORLD-002 when an archive is damaged or too large."""
    try:
        with _open(path) as file:
            if encoding != "utf-8":
                text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline=None)
                yield from text
                return
            yield from _byte_lines(path, file, skipped)
    except (OSError, EOFError, zlib.error) as error:
        refuse(str(path), str(error), "a whole file, plain or gzip", "fetch the file again")


def _byte_lines(path: Path, file: BinaryIO, skipped: Skips) -> Iterator[str]:
    total, first = 0, True
    while raw := file.readline(MAX_LINE):
        total += len(raw)
        if total > MAX_BYTES:
            refuse(
                str(path), f"more than {MAX_BYTES >> 30} GiB unpacked", "a log of at most that size",
                "cut the log to a shorter period",
            )  # fmt: skip
        if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            skipped.row("line too long", str(path))
            while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                total += len(rest)
            continue
        if first:
            raw, first = raw.removeprefix(b"\xef\xbb\xbf"), False
        line = _decode(raw)
        if "\r" in line.rstrip("\r\n"):  # line ends of old Macintosh files
            yield from (part + "\n" for part in line.replace("\r\n", "\n").split("\r"))
        else:
            yield line


def _decode(raw: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")
