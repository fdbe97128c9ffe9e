"""How strong a piece of evidence is: what a query says beside what it says on healthy days. Pure.

The query runs on the incident's lake and on those of healthy days on which the same actions were taken at the
same times: the incident's own day without its faults first, and others. The answers are compared as tables
(sandbox.drill.grading.tables), whole and in any order, value by value:

    z        = |incident - own healthy day| / (range of the healthy days + floor), for numbers and times
    strength = (z / correction - Z_NONE) / (Z_FULL - Z_NONE), cut to 0..1

A text, a truth value, NULL or the presence of a row that all healthy days agree on otherwise counts as
Z_CHANGED. Who looks at many values finds one that stands out: the correction grows with how many were looked
at. Ranges of n days have the heavy tail of Student's t with n - 1 degrees of freedom, in which an error that
is k times rarer lies k^(1 / (n - 1)) times further out (Bonferroni's correction). Beyond WIDE columns a query
is a dashboard and no argument, and earns less with the square of its width. The floor keeps healthy days that happen to agree
from making every difference great. A query that looks at nothing in which a claimed component shows
(sandbox.drill.grading.bearing) is no evidence for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.grading import tables
from sandbox.drill.grading.tables import Answer, Cell, Since
from sandbox.drill.play.report import Statement
from sandbox.drill.scenario.queries import filled

Ask = Callable[[str], tuple[list[str], list[list[Any]]]]  # SQL -> columns, rows; raises SandboxError

LEAST_HEALTHY = 4  # days for a grade; fewer tell too little of what days differ by
Z_NONE = 1.0  # a difference of a healthy day's own size says nothing
Z_FULL = 5.0
Z_CHANGED = 8.0  # of what has no size: it is another than on all healthy days
RELATIVE_FLOOR = 0.05  # of the greatest healthy value
TIME_FLOOR_S = 300.0  # world seconds, for times
IRRELEVANT = "-"  # in place of a column
WIDE = 8  # measured columns, more are no argument
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
    """value: 0..1. column: the value that tells most, empty where none does. why: for the debrief."""

    claim: str
    value: float
    column: str
    why: str


def irrelevant(statement: Statement, components: Collection[str]) -> Strength:
    """Of a query that bears on none of the components: nothing, without having been asked."""
    named = " or ".join(sorted(components))
    return Strength(statement.claim, 0.0, IRRELEVANT, f"looks at nothing in which {named} shows")


def strength(statement: Statement, incident: Day, healthy: Sequence[Day]) -> Strength:
    """Of one statement; 0 with the reason for a query that is refused, fails or answers by chance.
    healthy: the incident's own day without faults first."""
    none = Strength(statement.claim, 0.0, "", "says the same on a healthy day")
    try:
        seen, again = answer(statement.sql, incident), answer(statement.sql, incident)
        usual = [answer(statement.sql, day) for day in healthy]
    except SandboxError as error:
        return replace(none, why=f"does not run: {error.kind.title} ({error.seen})"[:200])
    return judged(none, statement.sql, seen, again, usual)


def judged(none: Strength, sql: str, seen: Answer, again: Answer, usual: Sequence[Answer]) -> Strength:
    """The strength of an answer beside usual ones. none: what is returned where nothing stands out. again:
    the same asked once more, in which a draw by lots would differ."""
    cells = tables.cells(seen, [again, *usual])
    found = [(z_of(c.value, c.others[1:]), c) for c in cells if tables.same(c.value, c.others[0])]
    return _strongest(none, found, len(cells), tables.width(seen, sql), len(usual))


def ruled_out_by(claim: str, sql: str, seen: Answer, strange: Answer, usual: Sequence[Answer]) -> Strength:
    """How well an answer rules a look-alike out: by how far the answer under it is from the one that was
    seen, in what healthy days differ by. strange: under the look-alike."""
    none = Strength(claim, 0.0, "", "would say the same if it were that")
    cells = tables.cells(seen, [strange, *usual])
    found = [(apart(c.value, c.others[0], c.others[1:]), c) for c in cells]
    return _strongest(none, found, len(cells), tables.width(seen, sql), len(usual))


def _strongest(
    none: Strength, found: Sequence[tuple[float, Cell]], n_cells: int, n_columns: int, n_days: int
) -> Strength:
    """The strongest value after correction for how many there are, `none` where no one has any strength."""
    correction = max(1, n_cells) ** (1.0 / (n_days - 1))
    focus = min(1.0, WIDE / max(1, n_columns)) ** 2
    best = none
    for z, cell in found:
        share = focus * share_of(z, correction)
        if share > best.value:
            best = replace(none, value=round(share, 4), column=cell.name, why=_why(cell, n_cells, n_columns))
    return best


def share_of(z: float, correction: float = 1.0) -> float:
    """0..1, from how far a value stands out."""
    return min(1.0, max(0.0, (z / correction - Z_NONE) / (Z_FULL - Z_NONE)))


def z_of(value: Any, healthy: Sequence[Any]) -> float:
    """How far one value lies outside of healthy ones, own day first. Numbers and times as floats; whatever
    else is compared as it is. None is NULL."""
    if not isinstance(value, float) or not all(isinstance(h, float) for h in healthy):
        return Z_CHANGED if _changed(value, healthy) else 0.0
    return apart(value, healthy[0], healthy)


def apart(value: Any, other: Any, healthy: Sequence[Any]) -> float:
    """How far two values are from each other, in what healthy ones differ by. Numbers where all are; what has
    no size is apart or not."""
    numbers = [h for h in healthy if isinstance(h, float)]
    if not (isinstance(value, float) and isinstance(other, float) and numbers):
        return 0.0 if tables.same(value, other) else Z_CHANGED
    floor = RELATIVE_FLOOR * max(abs(h) for h in numbers)
    if isinstance(value, Since):
        floor = TIME_FLOOR_S
    if value == other:
        return 0.0
    reach = max(numbers) - min(numbers) + floor
    return abs(value - other) / reach if reach > 0 else math.inf


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


def answer(sql: str, day: Day) -> Answer:
    """What a day says. Raises SandboxError."""
    columns, rows = day.ask(filled(moved(sql, day.later_s), day.times))
    return tables.plain(columns, rows, day.times["began"])


def _changed(value: Any, healthy: Sequence[Any]) -> bool:
    unknown = [h is None for h in healthy]
    if value is None:
        return not any(unknown)
    if any(unknown):
        return all(unknown)
    return value != healthy[0] and all(h == healthy[0] for h in healthy)


def _why(cell: Cell, n_cells: int, n_columns: int) -> str:
    usual = ", ".join(sorted({tables.shown(h) for h in cell.others[1:]}))
    text = f"{cell.name}: {tables.shown(cell.value)}, on healthy days {usual}"
    if n_cells > 1:
        text += f"; among {n_cells} values"
    return text + (f" in {n_columns} columns, a wide net" if n_columns > WIDE else "")
