"""Delimited text of unknown make, row by row: encoding, compression, delimiter and quoting recognised."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sandbox.world.importers.dialect import DELIMITERS, MAX_FIELD, Dialect, learned, near_quotes, records
from sandbox.world.importers.lines import encoding_of, holds, read_lines
from sandbox.world.importers.source import Skips, refuse
from sandbox.world.importers.unpack import digest_of

__all__ = ["MAX_FIELD", "TextTable", "digest_of", "open_table"]
_SNIFF_ROWS = 100
_SEPARATOR_LINE = re.compile(r'"?sep=([,;|\t])"?')
_NUMERIC_SHARE = 0.9  # of the rows of the head that begin with a digit in a column of numbers
_LEAST_ROWS = 3  # of the head, for a column to be one of numbers or dates


@dataclass(frozen=True)
class TextTable:
    """A delimited file whose make is known.

    names: header, stripped; "1", "2", ... where the file has none. width: fields of a sound row.
    encoding: utf-16 or -32, or utf-8, in which lines that are not UTF-8 are read as Windows-1252.
    numeric: columns in which nearly all rows of the head begin with a digit: rows are known by them.
    preamble: lines above the header, such as a spreadsheet's "sep=;".
    """

    path: Path
    names: tuple[str, ...]
    has_header: bool
    dialect: Dialect
    encoding: str
    numeric: tuple[int, ...] = ()
    preamble: int = 0

    @property
    def width(self) -> int:
        return len(self.names)

    def line(self, number: int) -> str:
        return f"{self.path}, line {number}"

    def rows(self, skipped: Skips) -> Iterator[tuple[int, list[str]]]:
        """Line number (from 1, of the row's end) and fields of every sound row; others are counted.

        Lines that are blank are no rows.
        """
        width, waiting = self.width, self.preamble + self.has_header
        lines = read_lines(self.path, self.encoding, skipped)
        for number, row, whole in records(lines, self.dialect, self._like_row):
            if waiting:
                waiting -= len(row) > 1 or bool(row[0].strip())
                continue
            if len(row) != width:
                if len(row) == 1 and not row[0].strip():
                    continue
                if len(row) < width or any(row[width:]):
                    skipped.row(self._width_reason(row, whole), self.line(number))
                    continue
                row = row[:width]  # delimiters at the end of a line, with nothing between
            reason = _unsound(row)
            if reason:
                skipped.row(reason, self.line(number))
            else:
                yield number, row

    def _like_row(self, fields: list[str]) -> bool:
        return _like_row(fields, self.width, self.numeric)

    def _width_reason(self, row: list[str], whole: bool) -> str:
        if not whole:
            return "field too long or stray quote"
        if _unsound(row):
            return _unsound(row)
        return "too few columns" if len(row) < self.width else "too many columns"


def open_table(
    path: Path, *, header: bool = True, delimiter: str | None = None, wanted: Sequence[str] = (),
    quoting: int = csv.QUOTE_MINIMAL,
) -> TextTable:  # fmt: skip
    """Recognise a delimited file. wanted: column names that its header should hold, where they are known.

    Raises WORLD-002 when the file is missing, empty, binary, damaged or has a single column.
    """
    encoding = encoding_of(path)
    lines = read_lines(path, encoding, Skips())
    head = list(islice((line for line in lines if line.strip()), _SNIFF_ROWS))
    if not head:
        refuse(str(path), "an empty file", "a table with a row per record", "name another file")
    told = _SEPARATOR_LINE.fullmatch(head[0].strip()) if header else None
    preamble = 1 if told else 0
    head = head[preamble:] or head
    chosen = delimiter or (told.group(1) if told else _sniff(head, wanted))
    names = _fields(head[0], chosen)
    if len(names) < 2:
        refuse(
            f"{path}, line 1",
            head[0].strip()[:80],
            "columns separated by comma, tab, semicolon, | or ::",
            "export the table with one of these",
        )
    width = len(names) if header else _commonest_width(head, chosen)
    numeric = _numeric(head[1:] if header else head, chosen, width)
    dialect = Dialect(chosen)
    if quoting != csv.QUOTE_NONE and holds(path, b'"'):
        kept, count = near_quotes(read_lines(path, encoding, Skips()))
        dialect = learned(kept, count, chosen, lambda fields: _like_row(fields, width, numeric), header)
    if header:
        first = dialect.split(head[0]) or dialect.as_it_stands(head[0])
        names = [name.strip().strip("\0") for name in first]
    else:
        names = [str(number) for number in range(1, width + 1)]
    return TextTable(path, tuple(names), header, dialect, encoding, numeric, preamble)


def _unsound(row: list[str]) -> str:
    """Why a row of the right width cannot be used; "" where it can."""
    for value in row:
        if "\0" in value:
            return "NUL byte in the row"
        if len(value) > MAX_FIELD:
            return "field too long or stray quote"
    return ""


def _like_row(fields: list[str], width: int, numeric: tuple[int, ...]) -> bool:
    if len(fields) != width:
        return False
    return all(fields[k].strip()[:1].isdigit() for k in numeric)


def _fields(line: str, delimiter: str) -> list[str]:
    """Fields of one line of which it is not known yet whether its quotes mean anything."""
    plain = Dialect(delimiter, quoted=len(delimiter) == 1)
    return plain.split(line) or plain.as_it_stands(line)


def _commonest_width(head: Sequence[str], delimiter: str) -> int:
    widths = Counter(len(_fields(line, delimiter)) for line in head)
    return max(widths.items(), key=lambda pair: (pair[1], pair[0]))[0]


def _numeric(head: Sequence[str], delimiter: str, width: int) -> tuple[int, ...]:
    rows = [row for row in (_fields(line, delimiter) for line in head) if len(row) == width]
    if len(rows) < _LEAST_ROWS:
        return ()
    counts = [sum(row[k].strip()[:1].isdigit() for row in rows) for k in range(width)]
    return tuple(k for k, count in enumerate(counts) if count >= _NUMERIC_SHARE * len(rows))


def _sniff(head: Sequence[str], wanted: Sequence[str]) -> str:
    """The delimiter under which most rows have the commonest width, then the widest."""

    def worth(delimiter: str) -> tuple[int, float, int]:
        rows = [_fields(line, delimiter) for line in head]
        widths = Counter(len(row) for row in rows)
        width, count = max(widths.items(), key=lambda pair: (pair[1], pair[0]))
        named = sum(name in [value.strip() for value in rows[0]] for name in wanted)
        return named, (count / len(head) if width > 1 else 0.0), width

    return max(DELIMITERS, key=worth)
