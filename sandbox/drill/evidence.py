"""How strong a piece of evidence is: what a query says beside what it says on healthy days. Pure.

The query runs on the incident's lake and on the lakes of at least three healthy days: the incident's own
day without its faults, and others. First rows are compared column by column:

    z        = |incident - own healthy day| / (range of the healthy days + floor), for numbers and times
    strength = (z - Z_NONE) / (Z_FULL - Z_NONE), cut to 0..1

A text or a truth value has strength 1 when all healthy days agree on another, else 0; so has a NULL that no
healthy day has, or that all have and the incident has not. The number of rows is a column too. A query is as strong as its strongest column:
one that would say the same on a healthy day has 0. The floor keeps two healthy days that happen to agree
from making every difference great.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.queries import filled
from sandbox.drill.report import Statement

Ask = Callable[
    [str], tuple[list[str], list[list[Any]]]
]  # SQL -> columns, rows; raises SandboxError

LEAST_HEALTHY = 3
Z_NONE = 1.0  # a difference of a healthy day's own size says nothing
Z_FULL = 5.0
RELATIVE_FLOOR = 0.05  # of the greatest healthy value
TIME_FLOOR_S = 300.0  # world seconds, for times
ROWS = "number of rows"
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")


@dataclass(frozen=True)
class Day:
    """One run's lake. times: began, paged and now of the query, world seconds since the epoch. later_s:
    how much later it began than the run on which the query was written; times that the query writes out
    are moved by that."""

    ask: Ask
    times: dict[str, float]
    later_s: float = 0.0


@dataclass(frozen=True)
class Strength:
    """value: 0..1. column: the one that tells most, empty where none does. why: for the debrief."""

    claim: str
    value: float
    column: str
    why: str


def strengths(
    statements: Sequence[Statement], incident: Day, healthy: Sequence[Day]
) -> list[Strength]:
    """One for each statement. healthy: the incident's own day without faults first, LEAST_HEALTHY at least."""
    assert len(healthy) >= LEAST_HEALTHY
    return [strength(one, incident, healthy) for one in statements]


def strongest(moments: Sequence[Sequence[Strength]]) -> list[Strength]:
    """Of each statement its best, where all were asked as of several moments; ties go to the first."""
    return [max(one, key=lambda s: s.value) for one in zip(*moments, strict=True)]


def strength(statement: Statement, incident: Day, healthy: Sequence[Day]) -> Strength:
    """Of one statement; 0 with the reason for a query that is refused, fails or answers by chance."""
    try:
        seen, again = _answer(statement.sql, incident), _answer(statement.sql, incident)
        usual = [_answer(statement.sql, day) for day in healthy]
    except SandboxError as error:
        return Strength(
            statement.claim, 0.0, "", f"does not run: {error.kind.title} ({error.seen})"[:200]
        )
    best = Strength(statement.claim, 0.0, "", "says the same on a healthy day")
    for column, value in seen.items():
        if again.get(column) != value:  # it draws lots
            continue
        days = [answer.get(column) for answer in usual]
        share, why = compared(value, days)
        if share > best.value:
            best = Strength(statement.claim, round(share, 4), column, f"{column}: {why}")
    return best


def compared(value: Any, healthy: Sequence[Any]) -> tuple[float, str]:
    """Strength of one value against those of healthy days, own day first, and why.

    Numbers and times as floats; whatever else is compared as it is. None is NULL.
    """
    shown = f"{_shown(value)}, on healthy days {', '.join(sorted({_shown(h) for h in healthy}))}"
    if not isinstance(value, float) or not all(isinstance(h, float) for h in healthy):
        return float(_changed(value, healthy)), shown
    floor = RELATIVE_FLOOR * max(abs(h) for h in healthy)
    if isinstance(value, Since):
        floor = TIME_FLOOR_S
    spread = max(healthy) - min(healthy)
    difference = abs(value - healthy[0])
    if difference == 0.0:
        return 0.0, shown
    z = difference / (spread + floor) if spread + floor > 0 else math.inf
    return min(1.0, max(0.0, (z - Z_NONE) / (Z_FULL - Z_NONE))), shown


def moved(sql: str, by_s: float) -> str:
    """The query with every written-out time (2026-03-01 10:20:00, seconds optional) moved."""
    if by_s == 0.0:
        return sql

    def later(found: re.Match[str]) -> str:
        try:
            when = datetime.fromisoformat(found[0])
        except ValueError:  # the 31st of February: let the database say so
            return found[0]
        return (when + timedelta(seconds=by_s)).strftime("%Y-%m-%d %H:%M:%S.%f")

    return _TIME.sub(later, sql)


class Since(float):
    """A time, as world seconds since its day began."""


def _answer(sql: str, day: Day) -> dict[str, Any]:
    """The first row by column, and how many there are. Raises SandboxError."""
    columns, rows = day.ask(filled(moved(sql, day.later_s), day.times))
    row = rows[0] if rows else [None] * len(columns)
    answer = {name: _plain(value, day) for name, value in zip(columns, row, strict=True)}
    return {**answer, ROWS: float(len(rows))}


def _plain(value: Any, day: Day) -> Any:
    if isinstance(value, datetime):
        when = value if value.tzinfo else value.replace(tzinfo=UTC)
        return Since(when.timestamp() - day.times["began"])
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)


def _changed(value: Any, healthy: Sequence[Any]) -> bool:
    unknown = [h is None for h in healthy]
    if value is None:
        return not any(unknown)
    if any(unknown):
        return all(unknown)
    return value != healthy[0] and all(h == healthy[0] for h in healthy)


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Since):
        return f"{value / 60:.0f} min in"
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:40]
