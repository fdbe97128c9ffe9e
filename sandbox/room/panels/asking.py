"""How panels ask the lake: a window of world time, texts and times as literals of SQL, and rows as JSON has them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from sandbox.base.errors import SandboxError
from sandbox.drill.scenario.queries import sql_time
from sandbox.telemetry.answers import plain
from sandbox.telemetry.sql import Result

PAGE = 50  # rows of a page of a list
MOST_PAGES = 20
CELL = 500  # characters of one text in a document
MINUTE_S = 60.0


class Asks(Protocol):
    """Whoever answers queries, as `sandbox.telemetry.sql.SqlWorker` does. Raises LAKE-001..004."""

    def query(self, sql: str, *, max_rows: int = ...) -> Result: ...


class Told(BaseModel, extra="forbid", frozen=True):
    """Unknown keys are a mistake of whoever makes the document. Times: `…_ts`, world seconds since the epoch."""


class Table(Told):
    """rows: by position, in the order of `columns`. more: there are more than these. sql: what was asked; it runs as it
    stands, so that it can be evidence."""

    title: str
    columns: list[str]
    rows: list[list[Any]]
    more: bool = False
    sql: str = ""


class Fact(Told):
    """A column of a row, by name."""

    name: str
    value: Any


@dataclass(frozen=True)
class Window:
    """From one world time to another, the latter not in it."""

    from_ts: float
    to_ts: float

    @classmethod
    def before(cls, to_ts: float, minutes: float) -> Window:
        return cls(to_ts - minutes * MINUTE_S, to_ts)

    def holds(self, column: str) -> str:
        """As a condition on that column."""
        return f"{column} >= {sql_time(self.from_ts)} AND {column} < {sql_time(self.to_ts)}"

    def whole(self, step_s: float) -> Window:
        """The steps that are over by its end, as many as it has: half a step would look like a fall."""
        to_ts = self.to_ts // step_s * step_s
        return Window(to_ts - max(1, round((self.to_ts - self.from_ts) / step_s)) * step_s, to_ts)

    def earlier(self, by_s: float) -> Window:
        return Window(self.from_ts - by_s, self.to_ts - by_s)


def text(value: str) -> str:
    """As a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def all_of(*conditions: str | None) -> str:
    """Those that there are, as one; true where there are none."""
    return " AND ".join(condition for condition in conditions if condition) or "true"


def has(column: str, part: str) -> str:
    """That a text holds a part, whatever the case. `%` and `_` are letters like others."""
    return f"contains(lower({column}), {text(part.lower())})"


def page_of(n: int) -> str:
    """The rows of that page, from 0, and one more, which tells whether there is another."""
    return f"LIMIT {PAGE + 1} OFFSET {n * PAGE}"


def rows_of(lake: Asks, sql: str, most: int) -> list[list[Any]]:
    """Raises LAKE-001..004."""
    return as_json(lake.query(sql, max_rows=most).rows)


def table_of(lake: Asks, title: str, sql: str, most: int = PAGE) -> Table:
    """The answer as it is shown. Raises LAKE-001..004."""
    found = lake.query(sql, max_rows=most)
    return Table(title=title, columns=found.columns, rows=as_json(found.rows), more=found.truncated, sql=sql)


def facts_of(lake: Asks, what: str, seen: object, sql: str) -> list[Fact]:
    """The one row of an answer, by its columns. what, seen: what was asked for, where there is none. Raises WIRE-003."""
    found = lake.query(sql, max_rows=1)
    if not found.rows:
        raise SandboxError(
            "WIRE-003",
            where=what,
            seen=seen,
            expected=f"a {what} of this run",
            fix="take one from a list, or ask in SQL",
        )
    return [Fact(name=name, value=value) for name, value in zip(found.columns, as_json(found.rows)[0], strict=True)]


def as_json(rows: list[list[Any]]) -> list[list[Any]]:
    return [[short(plain(value)) for value in row] for row in rows]


def short(value: Any) -> Any:
    """A text no longer than CELL; what is no text stays."""
    return f"{value[:CELL]}…" if isinstance(value, str) and len(value) > CELL else value
