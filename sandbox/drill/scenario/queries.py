"""Queries of scenarios, trainees and programs, ready to be asked: `$began`, `$paged` and `$now` become
world times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.base.errors import SandboxError
from sandbox.drill.scenario.predicate import Predicate

if TYPE_CHECKING:
    from sandbox.drill.scenario.scenario import Evidence

TIMES = ("began", "paged", "now")
# `$$text$$` is a text of SQL, and a `$` before anything else than a name stays what it is.
_NAME = re.compile(r"(?<!\$)\$([A-Za-z_]\w*)")


def unknown_times(sql: str) -> list[str]:
    """Each `$name` in a query that stands for no time."""
    return [f"${name}" for name in _NAME.findall(sql) if name not in TIMES]


def sql_time(ts: float) -> str:
    """A world time, seconds since the epoch, as a literal of SQL."""
    return f"TIMESTAMP '{datetime.fromtimestamp(ts, UTC).strftime('%Y-%m-%d %H:%M:%S.%f')}'"


def filled(sql: str, times: Mapping[str, float | None]) -> str:
    """The query with its times put in. times: name -> world seconds since the epoch, None where not known.

    Raises LAKE-004 for a `$name` that is none of them, as `$paged` is none before the page.
    """
    known = {name: sql_time(ts) for name, ts in times.items() if ts is not None}

    def literal(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise SandboxError(
                "LAKE-004",
                where="SQL",
                seen=found[0],
                expected=f"only ${', $'.join(known)}",
                fix="write the time out, or use one of these; $paged stands for one once the page has come",
            )
        return known[found[1]]

    return _NAME.sub(literal, sql)


def first_row(columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    """The answer's first row by column, empty when there is none."""
    return dict(zip(columns, rows[0], strict=True)) if rows else {}


def verdict(evidence: Evidence, columns: list[str], rows: list[list[Any]]) -> bool:
    """Whether the evidence's predicate holds on an answer."""
    return Predicate.parse(evidence.predicate).holds(first_row(columns, rows), len(rows))
