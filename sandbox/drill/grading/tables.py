"""Answers of queries as tables that can be held against each other, whatever their order. Pure.

Rows of several answers belong together by their key: the leftmost columns that are no measured numbers, as
few as tell the rows apart in every answer, and the same ones on most days. Where none do (a bare list of
numbers, or of requests), a column is known by its least, middle and greatest value; a long series over time by
its middle value in each quarter of it.
"""

from __future__ import annotations

import math
import re
import statistics
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

ROWS = "number of rows"
PARTS = 4  # of a series over time, where it has more than
SERIES = 12  # rows
ALIKE = 0.5  # share of keys that any two other answers have in common, from which they are keys at all
STABLE = 0.8  # and from which a row that is not there says something
_UNION = re.compile(r"\bunion\b", re.IGNORECASE)

Key = tuple[Any, ...]


class Since(float):
    """A time, as world seconds since its day began."""


@dataclass(frozen=True)
class Answer:
    """columns: their names, each once. rows: values as None, bool, float, Since or str. whole: columns that
    hold whole numbers only."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cell:
    """One value and what the other answers have in its place. name: for people."""

    name: str
    value: Any
    others: tuple[Any, ...]


def plain(columns: Sequence[str], rows: Sequence[Sequence[Any]], began_ts: float) -> Answer:
    """An answer as DuckDB gives it; times become world seconds since the day began."""
    names = _once(columns)
    told = tuple(tuple(_value(value, began_ts) for value in row) for row in rows)
    whole = frozenset(
        name
        for i, name in enumerate(names)
        if rows and all(isinstance(row[i], int) and not isinstance(row[i], bool) for row in rows)
    )
    return Answer(names, told, whole)


def cells(seen: Answer, others: Sequence[Answer]) -> list[Cell]:
    """Every value of `seen` that the others can be asked for, and how many rows there are. others: the same
    asked once more, then usual answers; a column that they lack, as a pivot may, is None there."""
    rows = Cell(ROWS, float(len(seen.rows)), tuple(float(len(o.rows)) for o in others))
    answers = [seen, *others]
    if all(len(a.rows) <= 1 for a in answers):
        alike = len({len(a.rows) for a in answers}) == 1
        return [*_single(seen, others), *([] if alike else [rows])]
    keys = _key_columns(answers)
    if keys is None:
        return [*_summarised(seen, others), rows]
    if len(seen.rows) > SERIES and all(_is_time(a, name) for a in answers for name in keys):
        return [*_in_parts(seen, others, keys[0]), rows]
    return [*_matched(seen, others, keys), rows]


def width(answer: Answer, sql: str) -> int:
    """How many columns of numbers or words were looked at beside the key, branches of a UNION like columns
    of their own: a wide table told as a long one is as wide."""
    keys = _key_columns([answer]) if len(answer.rows) > 1 else ()
    return max(1, len(answer.columns) - len(keys or ())) * (1 + len(_UNION.findall(sql)))


def same(one: Any, other: Any) -> bool:
    return one is other or one == other


def shown(value: Any) -> str:
    """A value for people."""
    if value is None:
        return "NULL"
    if isinstance(value, Since):
        return f"{value / 60:.0f} min in"
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:40]


def _single(seen: Answer, others: Sequence[Answer]) -> list[Cell]:
    found = []
    rows = [dict(zip(a.columns, a.rows[0], strict=True)) if a.rows else {} for a in (seen, *others)]
    for name in seen.columns:
        value, *rest = (row.get(name) for row in rows)
        found.append(Cell(name, value, tuple(rest)))
    return found


def _matched(seen: Answer, others: Sequence[Answer], keys: tuple[str, ...]) -> list[Cell]:
    """By key; a row that the others lack, or that is lacking, speaks where their keys are about the same."""
    mine, *theirs = (_by_key(a, keys) for a in (seen, *others))
    measured = [name for name in seen.columns if name not in keys]
    known = dict.fromkeys(k for rows in (mine, *theirs) for k in rows)
    tells = _alike([set(rows) for rows in theirs[1:]], STABLE)
    found = []
    for key in known:
        there = tuple(key in rows for rows in theirs)
        if key in mine and all(there):
            for name in measured:
                rest = tuple(rows[key][name] for rows in theirs)
                found.append(Cell(f"{name} of {_told(key)}", mine[key][name], rest))
        elif tells:
            found.append(Cell(f"a row {_told(key)}", key in mine, there))
    return found


def _in_parts(seen: Answer, others: Sequence[Answer], time: str) -> list[Cell]:
    """The middle of each column of numbers in quarters of the time that `seen` spans."""
    at = seen.columns.index(time)
    times = sorted(row[at] for row in seen.rows if row[at] is not None)
    edges = [times[len(times) * part // PARTS] for part in range(1, PARTS)]
    found = []
    for name in seen.columns:
        if name == time:
            continue
        values = [_middles(a, name, time, edges) for a in (seen, *others)]
        for part, (value, *rest) in enumerate(zip(*values, strict=True), 1):
            found.append(Cell(f"{name} in quarter {part} of the time", value, tuple(rest)))
    return found


def _middles(answer: Answer, name: str, time: str, edges: Sequence[float]) -> list[float | None]:
    column, at = answer.columns.index(name), answer.columns.index(time)
    parts: list[list[float]] = [[] for _ in range(len(edges) + 1)]
    for row in answer.rows:
        if row[at] is not None and isinstance(row[column], float):
            parts[bisect_right(edges, row[at])].append(row[column])
    return [statistics.median(part) if part else None for part in parts]


def _summarised(seen: Answer, others: Sequence[Answer]) -> list[Cell]:
    found = []
    for name in seen.columns:
        told = [_summary(a, name) for a in (seen, *others)]
        if all(told):
            for of, value, *rest in zip(("least", "middle", "greatest"), *told, strict=True):
                found.append(Cell(f"{of} {name}", value, tuple(rest)))
    return found


def _summary(answer: Answer, name: str) -> tuple[Any, ...]:
    """Least, middle and greatest number of a column; empty where it has none."""
    if name not in answer.columns:
        return ()
    at = answer.columns.index(name)
    numbers = [row[at] for row in answer.rows if isinstance(row[at], float)]
    if not numbers:
        return ()
    kind = Since if all(isinstance(n, Since) for n in numbers) else float
    return kind(min(numbers)), kind(statistics.median(numbers)), kind(max(numbers))


def _key_columns(answers: Sequence[Answer]) -> tuple[str, ...] | None:
    """The fewest columns that tell rows apart in every answer: words first, then times and whole numbers,
    further left first. None where nothing does, or where an answer has other columns."""
    first = answers[0]
    if any(a.columns != first.columns for a in answers):
        return None
    words = [n for n in first.columns if all(_is_word(a, n) for a in answers)]
    counted = [n for n in first.columns if n not in words and all(_may_key(a, n) for a in answers)]
    alone = [(*words, n) for n in counted]
    for keys in (*_leading(words), *alone, *_leading(counted, words)):
        of = [_by_key(a, keys) for a in answers]
        apart = all(len(rows) == len(a.rows) for rows, a in zip(of, answers, strict=True))
        if apart and _alike([set(rows) for rows in of[1:] if rows], ALIKE):
            return keys
    return None


def _leading(names: list[str], before: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """All of `before`, and the first one, two, three of `names`."""
    return [(*before, *names[:n]) for n in range(1, min(3, len(names)) + 1)]


def _is_word(answer: Answer, name: str) -> bool:
    at = answer.columns.index(name)
    return all(isinstance(row[at], str | bool) or row[at] is None for row in answer.rows)


def _is_time(answer: Answer, name: str) -> bool:
    at = answer.columns.index(name)
    return all(isinstance(row[at], Since) or row[at] is None for row in answer.rows)


def _may_key(answer: Answer, name: str) -> bool:
    return not answer.rows or _is_time(answer, name) or name in answer.whole


def _by_key(answer: Answer, keys: tuple[str, ...]) -> dict[Key, dict[str, Any]]:
    at = [answer.columns.index(name) for name in keys]
    return {tuple(row[i] for i in at): dict(zip(answer.columns, row, strict=True)) for row in answer.rows}


def _alike(keys: list[set[Key]], share: float) -> bool:
    """Whether any two sets have that share of their keys in common."""
    return all(len(a & b) >= share * len(a | b) for a, b in combinations(keys, 2))


def _told(key: Key) -> str:
    return ", ".join(shown(part) for part in key)


def _once(columns: Sequence[str]) -> tuple[str, ...]:
    """Names, a number behind those that come again."""
    seen: dict[str, int] = {}
    names = []
    for name in columns:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def _value(value: Any, began_ts: float) -> Any:
    if isinstance(value, datetime):
        when = value if value.tzinfo else value.replace(tzinfo=UTC)
        return Since(when.timestamp() - began_ts)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)
