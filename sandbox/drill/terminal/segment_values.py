"""Which values the column of a segment has in a run's lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.scenario.segments import BUCKET, values_sql
from sandbox.drill.terminal.replies import ValuesOf

MOST = 300  # values; a column that has more is not looked up


def values_in(rows_of: Callable[[str], Sequence[Sequence[Any]]]) -> ValuesOf:
    """rows_of: what the lake answers. A column that cannot be asked has no known values."""

    def values_of(column: str) -> list[str]:
        if column == BUCKET:  # a range, not a value
            return []
        try:
            names = [str(row[0]) for row in rows_of(f"{values_sql(column)} LIMIT {MOST + 1}")]
        except SandboxError:
            return []
        return names if len(names) <= MOST else []

    return values_of
