"""Logs: lines that fit a search, and their patterns counted, which are lines with what varies in them masked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.room.panels.asking import PAGE, Asks, Told, Window, all_of, has, page_of, rows_of, text

MOST_PATTERNS = 100
MOST_MSG = 200  # characters of a message that is asked for; of a longer one its beginning
_MOST_GROUPS = 3_000  # lines that differ, of which patterns are made; the commonest first
_MASKS = (  # what varies, in the order in which it is looked for -> what stands for it
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}\b", re.I), "<id>"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b"), "<address>"),
    (re.compile(r"(?<![\w.])(/[\w.-]+){2,}"), "<path>"),
    (re.compile(r"(?<![A-Za-z_\d.-])-?\d+(\.\d+)?(e[+-]?\d+)?(?![A-Za-z_\d])", re.I), "<n>"),
)


class LogLine(Told):
    """fields: of the line, as JSON."""

    world_ts: float
    service: str
    instance: str | None
    level: str | None
    msg: str | None
    fields: str | None
    trace: str | None


class LogList(Told):
    lines: list[LogLine]
    more: bool
    sql: str


class Pattern(Told):
    """n: lines that are alike but for what is masked. first_ts, last_ts: of them, within the window. msg: as one of them has
    it, by which examples are found."""

    service: str
    level: str | None
    pattern: str
    n: int
    first_ts: float
    last_ts: float
    msg: str


class PatternList(Told):
    """n: lines in all. more: patterns, or lines that differ, that are not among these."""

    n: int
    patterns: list[Pattern]
    services: list[str]
    more: bool
    sql: str


@dataclass(frozen=True)
class Wanted:
    """text: in the message or its fields, whatever the case. msg: the message itself, or MOST_MSG characters of its beginning. All empty for any."""

    text: str = ""
    service: str = ""
    level: str = ""
    trace: str = ""
    msg: str = ""
    page: int = 0


def listed(lake: Asks, wanted: Wanted, window: Window) -> LogList:
    """The latest first. Raises LAKE-002..004."""
    sql = (
        "SELECT epoch(ts) AS world_ts, service, instance, level, msg, fields, trace_id AS trace FROM logs"
        f" WHERE {_where(wanted, window)} ORDER BY ts DESC, service, instance"
    )
    rows = rows_of(lake, f"{sql} {page_of(wanted.page)}", PAGE + 1)
    lines = [LogLine(**dict(zip(LogLine.model_fields, row, strict=True))) for row in rows[:PAGE]]
    return LogList(lines=lines, more=len(rows) > PAGE, sql=f"{sql} LIMIT {PAGE}")


def counted(lake: Asks, wanted: Wanted, window: Window) -> PatternList:
    """The commonest first. Raises LAKE-002..004."""
    grouped = (
        "SELECT service, level, msg, fields, count(*) AS n, epoch(min(ts)) AS first_ts, epoch(max(ts)) AS last_ts"
        f" FROM logs WHERE {_where(wanted, window)} GROUP BY ALL ORDER BY n DESC, service, msg"
    )
    groups = rows_of(lake, f"{grouped} LIMIT {_MOST_GROUPS}", _MOST_GROUPS)
    services = rows_of(lake, f"SELECT DISTINCT service FROM logs WHERE {window.holds('ts')} ORDER BY 1", 50)
    found = patterns(groups)
    return PatternList(
        n=sum(group[4] for group in groups), patterns=found[:MOST_PATTERNS], services=[str(row[0]) for row in services],
        more=len(found) > MOST_PATTERNS or len(groups) == _MOST_GROUPS,
        sql=(
            "SELECT service, level, msg, count(*) AS n, min(ts) AS first, max(ts) AS last"
            f" FROM logs WHERE {_where(wanted, window)} GROUP BY ALL ORDER BY n DESC LIMIT {PAGE}"
        ),
    )  # fmt: skip


def patterns(groups: Iterable[list[Any]]) -> list[Pattern]:
    """groups: (service, level, msg, fields, n, first_ts, last_ts). Pure."""
    found: dict[tuple[str, str | None, str], Pattern] = {}
    for service, level, msg, fields, n, first_ts, last_ts in groups:
        pattern = masked(msg or "") + (f" {masked(fields)}" if fields and fields != "{}" else "")
        key = (service, level, pattern)
        same = found.get(key)
        found[key] = Pattern(
            service=service, level=level, pattern=pattern, n=n + (same.n if same else 0), msg=same.msg if same else msg or "",
            first_ts=min(first_ts, same.first_ts) if same else first_ts,
            last_ts=max(last_ts, same.last_ts) if same else last_ts,
        )  # fmt: skip
    return sorted(found.values(), key=lambda p: (-p.n, p.service, p.pattern))


def masked(line: str) -> str:
    """With what varies masked: times, ids, addresses, paths, numbers. Codes such as WIRE-004 stay: they say what it was."""
    for what, mask in _MASKS:
        line = what.sub(mask, line)
    return line


def _where(wanted: Wanted, window: Window) -> str:
    return all_of(
        window.holds("ts"),
        *(
            f"{column} = {text(value)}"
            for column, value in (
                ("service", wanted.service), ("level", wanted.level), ("trace_id", wanted.trace),
            )
            if value
        ),
        f"starts_with(msg, {text(wanted.msg)})" if len(wanted.msg) >= MOST_MSG else f"msg = {text(wanted.msg)}" if wanted.msg
        else None,
        f"({has('msg', wanted.text)} OR {has('fields', wanted.text)})" if wanted.text else None,
    )  # fmt: skip
