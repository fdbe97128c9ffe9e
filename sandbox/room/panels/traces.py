"""Traces: which there are, one as a waterfall, and one beside another. The waterfall is `sandbox trace`'s own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Literal, cast

from sandbox.room.panels.asking import MINUTE_S, PAGE, Asks, Told, Window, all_of, page_of, rows_of, text
from sandbox.telemetry.sql import SqlWorker
from sandbox.telemetry.waterfall import Bar, Waterfall, find

Order = Literal["slowest", "failed", "latest"]
MOST_OPS = 60
USUAL_MINUTES = 360.0  # world time before a request in which its usual neighbour is looked for


class TraceLine(Told):
    """A request in a list. span_ms, span_status: of its longest span that was asked for, None where none was."""

    trace: str
    world_ts: float
    user: int | None
    region: str | None
    status: str | None
    latency_ms: float | None
    fallback: str | None
    span_ms: float | None
    span_status: str | None


class Op(Told):
    """Spans of one kind in the window. errors: share of them that did not end OK, 0..1. ms: wall milliseconds."""

    service: str
    op: str
    kind: str
    n: int
    p50_ms: float | None
    p99_ms: float | None
    errors: float | None


class TraceList(Told):
    """sql: the list's own."""

    from_ts: float
    to_ts: float
    traces: list[TraceLine]
    more: bool
    ops: list[Op]
    sql: str


class Span(Told):
    """A bar of the waterfall; see sandbox/telemetry/waterfall.py."""

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
    status: str | None
    attempt: int | None
    n_keys: int | None
    batch_size: int | None


class Trace(Told):
    """Spans: parents before children."""

    trace: str
    world_ts: float
    total_ms: float
    spans: list[Span]


class Difference(Told):
    """Spans of one service, op, kind and peer in both: how many, and wall milliseconds altogether. self: without what their
    own calls took."""

    service: str
    op: str
    kind: str
    peer: str | None
    n: int
    against_n: int
    dur_ms: float
    against_dur_ms: float
    self_ms: float
    against_self_ms: float


class TraceDocument(Told):
    """against: the other one, None where there is none. differences: where this one lost most time first."""

    trace: Trace
    against: Trace | None
    differences: list[Difference]
    sql: str


@dataclass(frozen=True)
class Wanted:
    """service, op, kind: of a span that the request has, empty for any."""

    order: Order = "slowest"
    service: str = ""
    op: str = ""
    kind: str = ""
    page: int = 0


def listed(lake: Asks, wanted: Wanted, window: Window) -> TraceList:
    """Raises LAKE-002..004."""
    sql = list_sql(wanted, window)
    rows = rows_of(lake, f"{sql} {page_of(wanted.page)}", PAGE + 1)
    ops = rows_of(lake, _ops_sql(window), MOST_OPS)
    names = list(TraceLine.model_fields)
    return TraceList(
        from_ts=window.from_ts, to_ts=window.to_ts, more=len(rows) > PAGE, sql=f"{sql} LIMIT {PAGE}",
        traces=[TraceLine(**dict(zip(names, row, strict=True))) for row in rows[:PAGE]],
        ops=[Op(**dict(zip(Op.model_fields, row, strict=True))) for row in ops],
    )  # fmt: skip


def list_sql(wanted: Wanted, window: Window) -> str:
    """All of the list, without its page."""
    of_span = all_of(
        *(f"{name} = {text(value)}" for name in ("service", "op", "kind") if (value := getattr(wanted, name)))
    )
    by_span = of_span != "true"
    with_ = (
        "WITH s AS (SELECT trace_id, max(dur_ms) AS span_ms, arg_max(status, dur_ms) AS span_status,"
        f" max((status <> 'OK')::INT) AS failed FROM spans WHERE {window.holds('ts')} AND {of_span} GROUP BY trace_id) "
        if by_span
        else ""
    )
    failed = "s.failed = 1" if by_span else "(r.grpc_status <> 'OK' OR r.degraded)"
    order = {"slowest": "span_ms DESC" if by_span else "latency_ms DESC", "failed": "r.ts DESC", "latest": "r.ts DESC"}
    return (
        f"{with_}SELECT r.request_id AS trace, epoch(r.ts) AS world_ts, r.user_id, r.region, r.grpc_status AS status,"
        f" r.latency_ms, r.fallback, {'s.span_ms, s.span_status' if by_span else 'NULL AS span_ms, NULL AS span_status'}"
        f" FROM requests r{' JOIN s ON s.trace_id = r.request_id' if by_span else ''}"
        f" WHERE {all_of(window.holds('r.ts'), failed if wanted.order == 'failed' else None)}"
        f" ORDER BY {order[wanted.order]}, r.request_id"
    )


def opened(lake: Asks, which: str, against: str, speed: float) -> TraceDocument:
    """which: a request id, a prefix of one, latest or slowest. against: the same, or `usual` for one of the median latency
    from before it, or empty. speed: world seconds per wall second of its run. Raises LAKE-002..005."""
    found = find(cast(SqlWorker, lake), which, speed)
    other = _usual(lake, found) if against == "usual" else against
    beside = find(cast(SqlWorker, lake), other, speed) if other else None
    told = [found] if beside is None else [found, beside]
    return TraceDocument(
        trace=_trace(found), against=_trace(beside) if beside else None,
        differences=differences(found.bars, beside.bars) if beside else [], sql=_spans_sql([one.trace_id for one in told]),
    )  # fmt: skip


def differences(bars: Sequence[Bar], against: Sequence[Bar]) -> list[Difference]:
    """Spans that are alike, added up on both sides; what grew most by itself first."""
    here, there = _sums(bars), _sums(against)
    none = (0, 0.0, 0.0)
    found = []
    for key in {**here, **there}:
        (n, dur, own), (n2, dur2, own2) = here.get(key, none), there.get(key, none)
        service, op, kind, peer = key
        found.append(Difference(
            service=service, op=op, kind=kind, peer=peer, n=n, against_n=n2, dur_ms=dur, against_dur_ms=dur2,
            self_ms=own, against_self_ms=own2,
        ))  # fmt: skip
    return sorted(found, key=lambda d: (d.against_self_ms - d.self_ms, d.service, d.op, d.kind, d.peer or ""))


def _sums(bars: Iterable[Bar]) -> dict[tuple[str, str, str, str | None], tuple[int, float, float]]:
    sums: dict[tuple[str, str, str, str | None], tuple[int, float, float]] = {}
    for bar in bars:
        key = (bar.service, bar.op, bar.kind, bar.peer)
        n, dur, own = sums.get(key, (0, 0.0, 0.0))
        sums[key] = (n + 1, round(dur + bar.dur_ms, 3), round(own + bar.self_ms, 3))
    return sums


def _usual(lake: Asks, than: Waterfall) -> str:
    """One that went well, of the latency that half of those before it had less of; empty where there is none."""
    ts = than.ts.replace(tzinfo=UTC).timestamp()
    rows = lake.query(
        "WITH r AS (SELECT request_id, latency_ms FROM requests SEMI JOIN spans ON spans.trace_id = requests.request_id"
        f" WHERE {Window.before(ts + MINUTE_S, USUAL_MINUTES).holds('ts')} AND grpc_status = 'OK' AND NOT degraded AND request_id <> {text(than.trace_id)})"
        " SELECT request_id FROM r ORDER BY abs(latency_ms - (SELECT median(latency_ms) FROM r)), request_id LIMIT 1"
    ).rows
    return str(rows[0][0]) if rows else ""


def _trace(found: Waterfall) -> Trace:
    return Trace(
        trace=found.trace_id, world_ts=found.ts.replace(tzinfo=UTC).timestamp(), total_ms=round(found.total_ms, 3),
        spans=[Span(**{k: _rounded(v) for k, v in asdict(bar).items()}) for bar in found.bars],
    )  # fmt: skip


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


def _spans_sql(traces: Sequence[str]) -> str:
    """Where the time of these went, for people."""
    return (
        "SELECT trace_id, service, op, kind, peer, count(*) AS calls, round(sum(dur_ms), 1) AS ms, max(status) AS status"
        f" FROM spans WHERE trace_id IN ({', '.join(map(text, traces))}) GROUP BY ALL ORDER BY trace_id, ms DESC"
    )


def _ops_sql(window: Window) -> str:
    return (
        "SELECT service, op, kind, count(*) AS n, round(quantile_cont(dur_ms, 0.5), 2) AS p50_ms,"
        " round(quantile_cont(dur_ms, 0.99), 2) AS p99_ms, round(avg((status <> 'OK')::INT), 4) AS errors"
        f" FROM spans WHERE {window.holds('ts')} GROUP BY ALL ORDER BY service, kind, op LIMIT {MOST_OPS}"
    )
