"""Lines of a delimited file into fields: what a quote means there is learned from the whole file.

A quote is a quote only where the file uses quoting. A row whose quotes do not close is read as it
stands; it never swallows the rows below it.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

MAX_FIELD = 65_536  # characters; a longer field is a stray quote or not a table
DELIMITERS = (",", "\t", ";", "|", "::")
_MAX_LINES = 200  # of one quoted field
_AHEAD = 12  # lines kept below a line with a quote, when quoting is learned
_ENOUGH = 30_000  # lines from which quoting is learned, at most
_CONSISTENT = 0.9  # share of the rows in which a column is quoted, where quoting is a habit

LikeRow = Callable[[list[str]], bool]


@dataclass(frozen=True)
class Dialect:
    """quoted: a field may stand in quotes. escape: a backslash takes away a sign's meaning.
    spaced: blanks after a delimiter do not count."""

    delimiter: str
    quoted: bool = False
    escape: bool = False
    spaced: bool = False

    def split(self, line: str) -> list[str] | None:
        """Fields of one record, which may hold line ends within quotes; None where its quotes do not
        close, or close before the field ends."""
        if not self.quoted or ('"' not in line and not (self.escape and "\\" in line)):
            return line.split(self.delimiter)
        if self.escape:
            return _unescaped(line, self.delimiter)
        csv.field_size_limit(MAX_FIELD)
        try:
            rows = csv.reader((line,), delimiter=self.delimiter, strict=True, skipinitialspace=self.spaced)
            return next(rows, None)
        except csv.Error:
            return None

    def as_it_stands(self, line: str) -> list[str]:
        """Fields of a line whose quotes are no quotes; fields that are quoted as a whole are freed."""
        fields = line.split(self.delimiter)
        if not self.quoted:
            return fields
        return [f[1:-1].replace('""', '"') if len(f) > 1 and f[0] == f[-1] == '"' else f for f in fields]


def _unescaped(line: str, delimiter: str) -> list[str] | None:
    """Fields of a record in which a backslash takes away a sign's meaning; None as in `Dialect.split`."""
    field, fields, at = _escaping(delimiter), list[str](), 0
    while True:
        match = field.match(line, at)
        if match is None:
            return None
        quoted, plain, end = match.groups()
        text = plain if quoted is None else quoted.replace('""', '"')
        # "\N" alone is how databases write a missing value.
        fields.append(text if text == "\\N" else re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL))
        if not end:
            return fields
        at = match.end()


@cache
def _escaping(delimiter: str) -> re.Pattern[str]:
    sign = re.escape(delimiter)
    return re.compile(rf'(?:"((?:[^"\\]|\\.|"")*)"|(?!")((?:[^{sign}\\]|\\.)*))({sign}|\Z)', re.DOTALL)


def records(lines: Iterable[str], dialect: Dialect, like_row: LikeRow) -> Iterator[tuple[int, list[str], bool]]:
    """Number of the last line, fields, and whether its quotes closed, of every record.

    lines: without their ends. like_row: whether fields look like a row of this file. Every line
    belongs to exactly one record.
    """
    source, waiting, number = iter(lines), deque[str](), 0
    while True:
        line = waiting.popleft() if waiting else next(source, None)
        if line is None:
            return
        number += 1
        fields = dialect.split(line)
        if fields is not None:
            yield number, fields, True
            continue
        longer = _longer(line, waiting, source, dialect, like_row)
        if longer is None:
            yield number, dialect.as_it_stands(line), False
            continue
        fields, taken = longer
        for _ in range(taken):
            waiting.popleft()
        number += taken
        yield number, fields, True


def _longer(
    line: str, waiting: deque[str], source: Iterator[str], dialect: Dialect, like_row: LikeRow
) -> tuple[list[str], int] | None:
    """Fields of a record that goes on below its first line, and how many lines it takes from there.

    A line below that is a row by itself shows that the quote was a stray one.
    """
    text = line
    for taken in range(1, _MAX_LINES + 1):
        if taken > len(waiting):
            below = next(source, None)
            if below is None:
                return None
            waiting.append(below)
        below = waiting[taken - 1]
        alone = dialect.split(below)
        if like_row(dialect.as_it_stands(below) if alone is None else alone):
            return None
        text = f"{text}\n{below}"
        if len(text) > MAX_FIELD:
            return None
        if '"' in below:
            fields = dialect.split(text)
            if fields is not None:
                return (fields, taken) if like_row(fields) else None
    return None


def near_quotes(lines: Iterable[str]) -> tuple[list[str], int]:
    """The first line and those with a quote, with a few below each; and how many lines were read."""
    kept: list[str] = []
    ahead, count = 1, 0
    for line in lines:
        count += 1
        if '"' in line:
            ahead = _AHEAD
        if ahead:
            ahead -= 1
            kept.append(line)
            if len(kept) >= _ENOUGH:
                break
    return kept, count


def learned(kept: list[str], count: int, delimiter: str, like_row: LikeRow, header: bool) -> Dialect:
    """The dialect under which the quotes of a file make most sense.

    For quoting speak fields that need it (a delimiter, a quote or a line end inside) and columns that
    are quoted throughout, the header's names among them; against it, rows that are sound as they stand
    and not under it. kept, count: of `near_quotes`.
    """
    plain = Dialect(delimiter)
    if len(delimiter) > 1 or not any('"' in line for line in kept):
        return plain
    tried = [
        Dialect(delimiter, quoted=True),
        Dialect(delimiter, quoted=True, escape=True),
        Dialect(delimiter, quoted=True, spaced=True),
    ]
    scores = [_evidence(kept, count, dialect, like_row, header) for dialect in tried]
    best = max(range(len(tried)), key=lambda k: scores[k])
    if scores[best] > 0 or (scores[best] == 0 and delimiter in ",;"):
        return tried[best]
    return plain


def _evidence(kept: list[str], count: int, dialect: Dialect, like_row: LikeRow, header: bool) -> int:
    needed = against = 0
    wrapped: dict[int, int] = {}
    for number, fields, whole in records(kept, dialect, like_row):
        line = kept[number - 1]
        if '"' not in line:
            continue
        plain = line.split(dialect.delimiter)
        sound = (header and number == 1) or like_row(plain)
        if not whole or not like_row(fields):
            against += sound and number > 1
            continue
        needed += not sound or any('"' in field for field in fields)
        if sound:
            for place, field in enumerate(plain):
                if _is_wrapped(field):
                    wrapped[place] = wrapped.get(place, 0) + 1
    named = header and any(_is_wrapped(f) for f in kept[0].split(dialect.delimiter))
    habit = max(wrapped.values(), default=0)
    if named or (habit >= _CONSISTENT * min(count, len(kept)) and habit >= _CONSISTENT * count):
        needed += habit + named
    return needed - against


def _is_wrapped(field: str) -> bool:
    text = field.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'
