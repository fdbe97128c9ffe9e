"""The answer to a query for people: a table where it fits the terminal, else each row by itself."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

WIDEST = 40  # characters that a cell may ask for before it is folded


def answer(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> RenderableType:
    """For a terminal of so many characters: a table, or one block per row, a line per column, where no
    table fits."""
    if not rows and _needed(columns, rows) > width:
        return Text(f"columns: {', '.join(columns)}")
    if _needed(columns, rows) > width:
        return Group(*(_block(columns, row, number) for number, row in enumerate(rows, 1)))
    table = Table(header_style="bold")
    for i, name in enumerate(columns):
        right = _numeric([row[i] for row in rows])
        table.add_column(escape(name), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    return table


def plain(value: Any) -> Any:
    """A value for JSON: times as ISO strings, what is no number as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    return value if isinstance(value, str | int | None) else str(value)


def cell(value: Any) -> str:
    """A value as markup: times without an empty fraction, numbers to six digits."""
    if value is None:
        return "[dim]NULL[/]"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", "seconds" if not value.microsecond else "milliseconds")
    return escape(str(value))


def count(n: int, what: str = "row") -> str:
    """`1 row`, `2 rows`."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def _needed(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Characters that the table takes, its frame included."""
    return 1 + sum(
        3 + max([len(name), *(min(WIDEST, len(Text.from_markup(cell(row[i])))) for row in rows)])
        for i, name in enumerate(columns)
    )


def _numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)


def _block(columns: Sequence[str], row: Sequence[Any], number: int) -> Table:
    table = Table(title=f"row {number}", title_justify="left", box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in zip(columns, row, strict=True):
        table.add_row(f"[bold]{escape(name)}[/]", cell(value))
    return table
