"""A scenario's queries, ready to be asked: `$began`, `$paged` and `$now` become world times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from string import Template
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.predicate import Predicate
from sandbox.drill.scenario import Evidence

TIMES = ("began", "paged", "now")


def sql_time(ts: float) -> str:
    """A world time, seconds since the epoch, as a literal of SQL."""
    return f"TIMESTAMP '{datetime.fromtimestamp(ts, UTC).strftime('%Y-%m-%d %H:%M:%S.%f')}'"


def filled(sql: str, times: Mapping[str, float]) -> str:
    """The query with its times put in. times: name of TIMES -> world seconds since the epoch.

    Raises DRILL-002 for a `$name` that is none of them.
    """
    try:
        return Template(sql).substitute({name: sql_time(ts) for name, ts in times.items()})
    except (KeyError, ValueError) as error:
        raise SandboxError(
            "DRILL-002", where="evidence, sql", seen=str(error), expected=f"only ${', $'.join(TIMES)}",
            fix="write the time out, or use one of these",
        ) from error  # fmt: skip


def first_row(columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    """The answer's first row by column, empty when there is none."""
    return dict(zip(columns, rows[0], strict=True)) if rows else {}


def verdict(evidence: Evidence, columns: list[str], rows: list[list[Any]]) -> bool:
    """Whether the evidence's predicate holds on an answer."""
    return Predicate.parse(evidence.predicate).holds(first_row(columns, rows), len(rows))
