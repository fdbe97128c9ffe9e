"""Dashboards: the measures of a board over a window, by a segment, beside an earlier window or another segment, with what
happened marked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.scenario.queries import sql_time
from sandbox.room.panels.asking import Asks, Told, Window, all_of, rows_of, text
from sandbox.room.panels.measures import BOARDS, MATURE_S, SEGMENTS, SOURCES, BoardName, Measure, joins, told_apart

STEPS_S = (60, 120, 300, 600, 1_800, 3_600)
MOST_POINTS = 90  # of a line
MOST_LINES = 8  # of a chart, the commonest values: there are seven services
MOST_MARKS = 200
_MOST_ROWS = 10_000

Point = tuple[float, float | None]


class Line(Told):
    """name: of the segment's value, empty for all. beside: it is what the others are compared with: another time, or another
    segment. points: (world_ts, value), a point each step, oldest first; an earlier window's lie where they are compared."""

    name: str
    beside: bool
    points: list[Point]


class Chart(Told):
    """split: what its lines are told apart by, empty for one line of all. more: values that have no line. sql: its own."""

    name: str
    title: str
    unit: str
    split: str
    lines: list[Line]
    more: bool
    sql: str


class Mark(Told):
    """Something that happened. kind: alert (it began), resolved, change."""

    world_ts: float
    kind: str
    text: str


class Board(Told):
    """step_s: world seconds from point to point. segments: what one may ask for charts by."""

    board: str
    from_ts: float
    to_ts: float
    step_s: int
    charts: list[Chart]
    marks: list[Mark]
    segments: list[str]


@dataclass(frozen=True)
class Wanted:
    """by: a segment column, empty for none. only, beside: `column=value`, empty for everyone. earlier_s: how much earlier
    the window is that it is compared with, 0 for none."""

    board: BoardName
    by: str = ""
    only: str = ""
    beside: str = ""
    earlier_s: float = 0.0


def step_of(window: Window) -> int:
    """The shortest of the steps with which a line has no more points than it may."""
    length_s = window.to_ts - window.from_ts
    return next((step for step in STEPS_S if length_s / step <= MOST_POINTS), STEPS_S[-1])


def drawn(lake: Asks, wanted: Wanted, window: Window) -> Board:
    """Raises ROOM-006 for a segment that there is not, LAKE-002..004."""
    asked = [*([wanted.by] if wanted.by else []), *(segment_of(s)[0] for s in (wanted.only, wanted.beside) if s)]
    for column in asked:
        if column not in SEGMENTS:
            raise SandboxError(
                "ROOM-006", where="dashboards, segment", seen=column[:80], expected=f"one of {', '.join(SEGMENTS)}",
                fix="see the words of rooms: /api/v1/words, or docs/sql.md for what each holds",
            )  # fmt: skip
    step = step_of(window)
    window = window.whole(step)
    return Board(
        board=wanted.board, from_ts=window.from_ts, to_ts=window.to_ts, step_s=step,
        charts=list(_charts(lake, wanted, window, step)), marks=_marks(lake, window), segments=list(SEGMENTS),
    )  # fmt: skip


def segment_of(told: str) -> tuple[str, str]:
    """(column, value) of `column=value`."""
    column, _, value = told.partition("=")
    return column.strip(), value.strip()


def chart_sql(measures: Sequence[Measure], by: str, only: str, window: Window, step_s: int) -> str | None:
    """Rows (t, line, n, and a value of each); None where the rows cannot be told apart so. Pure.

    measures: at least one, all of the same source and with the same `where`."""
    source = SOURCES[measures[0].source]
    line = told_apart(source, by) if by else ("''", "")
    chosen = told_apart(source, segment_of(only)[0]) if only else ("", "")
    if line is None or chosen is None:
        return None
    needed = {*line[1].split(), *chosen[1].split()}.union(*(measure.joined for measure in measures))
    if needed & {"users", "consent"} and not source.user:
        needed.add("requests")
    of_segment = f"CAST({chosen[0]} AS VARCHAR) = {text(segment_of(only)[1])}" if only else None
    where = all_of(window.holds(source.ts), measures[0].where or None, of_segment)
    values = ", ".join(f"{measure.expression.replace('$step', str(step_s))} AS {measure.name}" for measure in measures)
    return (
        f"SELECT epoch(time_bucket(INTERVAL {step_s} SECOND, {source.ts})) AS t,"
        f" coalesce(CAST({line[0]} AS VARCHAR), 'unknown') AS line, count(*) AS n, {values}"
        f" FROM {source.table} {joins(source, needed)}"
        f" WHERE {where.replace('$mature', sql_time(window.to_ts - MATURE_S))} GROUP BY 1, 2 ORDER BY t, line"
    )


def lines(
    rows: Iterable[list[Any]],
    *,
    share: bool = False,
    counts_events: bool = False,
    beside: bool = False,
    shift_s: float = 0.0,
) -> tuple[list[Line], bool]:
    """rows: (t, line, n, value). share: values as shares of what all lines have at that time. counts_events: where a line has
    no row it is 0. The commonest values first, and whether there are more of them. Pure."""
    rows = list(rows)
    totals: dict[float, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for t, name, n, value in rows:
        totals[t] += value or 0.0
        counts[name] += n
    kept = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_LINES]
    points: dict[str, list[Point]] = {name: [] for name in kept}
    for t, name, _, value in rows:
        if name in points:
            shown = value / totals[t] if share and value is not None and totals[t] else value
            points[name].append((t + shift_s, None if shown is None else round(shown, 6)))
    if counts_events or share:
        for name, had in points.items():
            absent = {t + shift_s for t in totals} - {t for t, _ in had}
            points[name] = sorted([*had, *((t, 0.0) for t in absent)])
    found = [Line(name=name, beside=beside, points=points[name]) for name in kept]
    return found, len(counts) > len(kept)


def _charts(lake: Asks, wanted: Wanted, window: Window, step_s: int) -> Iterator[Chart]:
    """Measures of the same rows are asked for together. None for those whose rows cannot be told apart as it is wanted."""
    found: dict[str, Chart] = {}
    of: dict[tuple[str, str, str, bool], list[Measure]] = defaultdict(list)
    for measure in BOARDS[wanted.board]:
        of[measure.source, measure.where, _split(measure, wanted.by), measure.share].append(measure)
    for (_, _, split, share), measures in of.items():
        sql = chart_sql(measures, split, wanted.only, window, step_s)
        if sql is None:
            continue
        rows = rows_of(lake, sql, _MOST_ROWS)
        other = _beside(measures, split, wanted, window, step_s)
        others = rows_of(lake, other, _MOST_ROWS) if other else []
        shift_s = 0.0 if wanted.beside else wanted.earlier_s
        for n, measure in enumerate(measures, 3):
            counts = measure.unit == "per_minute"
            drawn_, more = lines(([*row[:3], row[n]] for row in rows), share=share, counts_events=counts)
            drawn_ += lines(
                ([*row[:3], row[n]] for row in others), share=share, counts_events=counts, beside=True, shift_s=shift_s
            )[0]
            alone = chart_sql([measure], split, wanted.only, window, step_s) or ""
            found[measure.name] = Chart(
                name=measure.name,
                title=measure.title,
                unit=measure.unit,
                split=split,
                lines=drawn_,
                more=more,
                sql=alone,
            )
    return (found[measure.name] for measure in BOARDS[wanted.board] if measure.name in found)


def _split(measure: Measure, by: str) -> str:
    """What its lines are told apart by: shares of versions by version, whatever else is asked for."""
    return by if by and not measure.share and told_apart(SOURCES[measure.source], by) else measure.split


def _beside(measures: Sequence[Measure], split: str, wanted: Wanted, window: Window, step_s: int) -> str | None:
    if wanted.beside:
        return chart_sql(measures, split, wanted.beside, window, step_s)
    if wanted.earlier_s > 0:
        return chart_sql(measures, split, wanted.only, window.earlier(wanted.earlier_s), step_s)
    return None


def _marks(lake: Asks, window: Window) -> list[Mark]:
    found = rows_of(lake, f"""
        SELECT epoch(ts) AS world_ts, CASE state WHEN 'firing' THEN 'alert' ELSE 'resolved' END AS kind,
               concat(rule, ': ', summary) AS text FROM alerts WHERE {window.holds("ts")}
        UNION ALL
        SELECT epoch(ts), 'change', concat(target, ' ', key, ': ', old, ' → ', new, ' (', actor, ')') FROM changes
        WHERE {window.holds("ts")}
        ORDER BY world_ts LIMIT {MOST_MARKS}""", MOST_MARKS)  # fmt: skip
    return [Mark(world_ts=ts, kind=kind, text=told) for ts, kind, told in found]
