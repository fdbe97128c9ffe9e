"""How panels ask the lake: a window of world time, texts and times as literals of SQL, and rows as JSON has them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from sandbox.drill.scenario.queries import sql_time
from sandbox.telemetry.answers import plain
from sandbox.telemetry.sql import SqlWorker

PAGE = 50  # rows of a page of a list
MOST_PAGES = 20
CELL = 500  # characters of one text in a document
MINUTE_S = 60.0


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


def rows_of(lake: SqlWorker, sql: str, most: int) -> list[list[Any]]:
    """Raises LAKE-001..004."""
    return [[short(plain(value)) for value in row] for row in lake.query(sql, max_rows=most).rows]


def table_of(lake: SqlWorker, title: str, sql: str, most: int = PAGE) -> Table:
    """The answer as it is shown. Raises LAKE-001..004."""
    found = lake.query(sql, max_rows=most)
    rows = [[short(plain(value)) for value in row] for row in found.rows]
    return Table(title=title, columns=found.columns, rows=rows, more=found.truncated, sql=sql)


def short(value: Any) -> Any:
    """A text no longer than CELL; what is no text stays."""
    return f"{value[:CELL]}…" if isinstance(value, str) and len(value) > CELL else value
