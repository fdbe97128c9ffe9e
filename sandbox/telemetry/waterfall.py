"""A request's spans as a tree in time: what `sandbox trace` draws. Pure but for the query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.telemetry.sql import SqlWorker

MAX_SPANS = 500  # of one request; a healthy one has about 20
RECENT = 400  # requests among which the newest whole one is looked for

_COLUMNS = (
    "span_id", "parent_id", "service", "instance", "op", "kind", "peer", "ts", "dur_ms",
    "queue_ms", "status", "attempt", "n_keys", "batch_size",
)  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """One span. start_ms: wall milliseconds since the request began. depth: 0 for the root.

    self_ms: its duration without its children's (what they share in time counts once).
    """

    span_id: str
    parent_id: str | None
    depth: int
    service: str
    instance: str
    op: str
    kind: str
    peer: str | None
    start_ms: float
    dur_ms: float
    self_ms: float
    queue_ms: float | None
    status: str
    attempt: int | None
    n_keys: int | None
    batch_size: int | None


@dataclass(frozen=True)
class Waterfall:
    """The spans of one request, parents before children, siblings in order of their start."""

    trace_id: str
    ts: datetime
    total_ms: float
    bars: tuple[Bar, ...]


# Of a request that is under way, or whose processes have not all written yet, some spans are missing: the
# root, a span's parent, or the handler of a call that went well.
_LATEST_WHOLE = f"""
    WITH recent AS (SELECT request_id, ts FROM requests ORDER BY ts DESC LIMIT {RECENT}),
    seen AS (SELECT s.trace_id, s.span_id, s.parent_id, s.kind, s.status
             FROM spans s SEMI JOIN recent ON s.trace_id = recent.request_id),
    lacking AS (
        SELECT trace_id FROM seen a WHERE parent_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM seen b WHERE b.trace_id = a.trace_id AND b.span_id = a.parent_id)
        UNION SELECT trace_id FROM seen a WHERE kind = 'client' AND status = 'OK' AND NOT EXISTS (
            SELECT 1 FROM seen b WHERE b.trace_id = a.trace_id AND b.parent_id = a.span_id))
    SELECT request_id FROM recent
    WHERE request_id IN (SELECT trace_id FROM seen WHERE parent_id IS NULL)
      AND request_id NOT IN (SELECT trace_id FROM lacking)
    ORDER BY ts DESC LIMIT 1"""


def find(worker: SqlWorker, which: str, speed: float) -> Waterfall:
    """The waterfall of `latest` (the newest of which all spans have arrived), `slowest` (of the requests
    kept), a request id or a unique prefix.

    speed: world seconds per wall second of the run, since spans' ts is world time and their
    durations are wall time. Raises LAKE-005 when there is no such request, or more than one.
    """
    trace_id = _resolve(worker, which)
    query = (
        f"SELECT {', '.join(_COLUMNS)} FROM spans WHERE trace_id = {_quoted(trace_id)} ORDER BY ts LIMIT {MAX_SPANS}"
    )
    spans = [dict(zip(_COLUMNS, row, strict=True)) for row in worker.query(query).rows]
    return build(trace_id, spans, speed)


def build(trace_id: str, spans: Sequence[dict[str, Any]], speed: float) -> Waterfall:
    """The tree of `spans` (keys as in the table). A span whose parent is not there is a root."""
    known = {span["span_id"] for span in spans}
    children: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for span in sorted(spans, key=lambda s: s["ts"]):
        parent = span["parent_id"] if span["parent_id"] in known else None
        children[parent if parent != span["span_id"] else None].append(span)
    begin = min(span["ts"] for span in spans)
    bars: list[Bar] = []
    pending = [(span, 0) for span in reversed(children[None])]
    waiting = sorted(spans, key=lambda s: s["ts"], reverse=True)  # for spans in a circle: no root
    drawn: set[str] = set()
    while pending or waiting:
        if not pending:
            pending.append((waiting.pop(), 0))
        span, depth = pending.pop()
        if span["span_id"] in drawn:
            continue
        drawn.add(span["span_id"])
        below = children.get(span["span_id"], [])
        bars.append(_bar(span, depth, below, begin, speed))
        pending += [(child, depth + 1) for child in reversed(below)]
    total = max(bar.start_ms + bar.dur_ms for bar in bars)
    return Waterfall(trace_id, begin, total, tuple(bars))


def _bar(span: dict[str, Any], depth: int, below: list[dict[str, Any]], begin: datetime, speed: float) -> Bar:
    start_ms = _wall_ms(begin, span["ts"], speed)
    dur_ms = span["dur_ms"] or 0.0
    covered = _covered([(_wall_ms(begin, c["ts"], speed), c["dur_ms"] or 0.0) for c in below], start_ms, dur_ms)
    return Bar(
        span["span_id"], span["parent_id"], depth, span["service"], span["instance"], span["op"],
        span["kind"], span["peer"], start_ms, dur_ms, max(0.0, dur_ms - covered), span["queue_ms"],
        span["status"], span["attempt"], span["n_keys"], span["batch_size"],
    )  # fmt: skip


def _wall_ms(begin: datetime, ts: datetime, speed: float) -> float:
    return (ts - begin).total_seconds() * 1000 / speed


def _covered(intervals: list[tuple[float, float]], start_ms: float, dur_ms: float) -> float:
    """How much of a span its children cover, ms; overlaps count once."""
    covered, reached = 0.0, start_ms
    for begin, duration in sorted(intervals):
        end = min(begin + duration, start_ms + dur_ms)
        covered += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return covered


def _resolve(worker: SqlWorker, which: str) -> str:
    if which in ("latest", "slowest"):
        order = "ts" if which == "latest" else "latency_ms"
        rows = worker.query(_LATEST_WHOLE).rows if which == "latest" else []
        rows = (
            rows
            or worker.query(
                "SELECT request_id FROM requests SEMI JOIN spans ON spans.trace_id = requests.request_id"
                f" ORDER BY {order} DESC LIMIT 1"
            ).rows
        )
        if not rows:
            raise _none(which, "a request with spans", "ask for a recommendation first: sandbox recommend --user 1")
        return str(rows[0][0])
    quoted = _quoted(which)
    rows = worker.query(
        f"SELECT DISTINCT trace_id FROM spans WHERE starts_with(trace_id, {quoted})"
        f" ORDER BY trace_id <> {quoted}, trace_id LIMIT 6"
    ).rows if which else []  # fmt: skip
    found = [str(row[0]) for row in rows]
    if which in found:
        return which
    if len(found) == 1:
        return found[0]
    if found:
        raise _none(which, "a prefix of one request id", f"write more of it: {', '.join(found[:5])}")
    raise _none(
        which,
        "the request_id of a request of this run",
        'see them: sandbox sql "SELECT request_id FROM requests ORDER BY ts DESC LIMIT 10"',
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _none(seen: str, expected: str, fix: str) -> SandboxError:
    return SandboxError("LAKE-005", where="trace", seen=seen, expected=expected, fix=fix)
