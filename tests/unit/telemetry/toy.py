"""A toy lake: two requests, of which one is slow between ranking and features, and what came of them."""

from pathlib import Path
from typing import Any

from sandbox.base.schema import TABLES
from sandbox.telemetry.segments import SegmentStore

START = 1_700_000_000.0  # world seconds
SPEED = 60.0


def row(table: str, **values: Any) -> list[Any]:
    """A row of `table` with the columns named and NULL elsewhere."""
    names = TABLES[table].names
    assert set(values) <= set(names), set(values) - set(names)
    return [values.get(name) for name in names]


def span(trace: str, number: int, parent: int | None, service: str, kind: str, peer: str | None,
         at_ms: float, dur_ms: float, **more: Any) -> list[Any]:  # fmt: skip
    """at_ms, dur_ms: wall milliseconds, as a process sees them."""
    return row(
        "spans", ts=START + at_ms / 1000 * SPEED, trace_id=trace, span_id=f"{trace}-{number}",
        parent_id=None if parent is None else f"{trace}-{parent}", service=service,
        instance=f"{service}-0", op="Call", kind=kind, peer=peer, dur_ms=dur_ms,
        status=more.pop("status", "OK"), attempt=1, **more,
    )  # fmt: skip


def request(number: int, **more: Any) -> list[Any]:
    values = {
        "ts": START + number, "request_id": f"req-{number:04d}", "session_id": "s-1", "user_id": 7,
        "region": "EU", "segment": "regular", "depth": 1, "grpc_status": "OK", "latency_ms": 20.0,
        "degraded": False, "fallback": "none", "n_items": 10, "n_asked": 10,
    }  # fmt: skip
    return row("requests", **(values | more))


def spans_of(trace: str, slow_ms: float = 0.0) -> list[list[Any]]:
    """gateway calls ranking, which calls features; slow_ms lies between the last two."""
    return [
        span(trace, 1, None, "gateway", "server", None, 0, 20 + slow_ms, queue_ms=0.2),
        span(trace, 2, 1, "gateway", "client", "ranking", 2, 16 + slow_ms),
        span(trace, 3, 2, "ranking", "server", "gateway", 3, 14 + slow_ms, queue_ms=0.1),
        span(trace, 4, 3, "ranking", "client", "features", 4, 6 + slow_ms, n_keys=200),
        span(trace, 5, 4, "features", "server", "ranking", 5 + slow_ms, 4, queue_ms=0.1),
    ]


def in_flight(trace: str, lacking: int) -> list[list[Any]]:
    """Spans of a request of which one, by its number, has not arrived."""
    return [one for n, one in enumerate(spans_of(trace), 1) if n != lacking]


def write_toy(lake: Path, more: int = 0) -> Path:
    """The toy lake in `lake`; every table that the examples read has rows. more: requests after them that
    are still under way. Returns `lake`."""
    store = SegmentStore(lake, lambda: 0.0)
    store.add("requests", [request(1), request(2, latency_ms=60.0, feature_age_s=60.0)])
    no = row(
        "consent_ledger", user_id=7, purpose="personalisation", state="denied", effective_ts=START - 60, signal="ui"
    )
    store.add("consent_ledger", [no])
    store.add("spans", spans_of("req-0001") + spans_of("req-0002", slow_ms=40.0))
    for n, lacking in zip(range(3, 3 + more), (1, 5, 3, 2, 4), strict=False):
        store.add("requests", [request(n)])
        store.add("spans", in_flight(f"req-{n:04d}", lacking))
    store.add(
        "impressions",
        [row("impressions", ts=START + 1, request_id="req-0001", item_id=item, position=item) for item in (1, 2)],
    )
    store.add("items", [row("items", item_id=1, creator_group="A"), row("items", item_id=2, creator_group="B")])
    store.add(
        "outcomes", [row("outcomes", event_ts=START + 9, request_id="req-0001", item_id=1, kind="click", value=1.0)]
    )
    store.add("procs", [row("procs", ts=START + 60, service="gateway", rss_mb=50.0)])
    store.add("alerts", [row("alerts", ts=START + 5, rule="latency-fast-burn", state="firing")])
    store.add("changes", [row("changes", ts=START, target="ranking", key="ranker", old="rk-1", new="rk-2")])
    store.add("feature_reads", [row("feature_reads", ts=START, view="item_stats", n_rows=9, age_p50_s=60.0)])
    store.add(
        "stream_stats", [row("stream_stats", ts=START + 60, length=5, last_event_ts=START, last_processed_ts=START)]
    )
    store.add("rule_decisions", [row("rule_decisions", ts=START, rule_id="seen", action="drop", item_id=3)])
    store.add("recall_probe", [row("recall_probe", ts=START, probe_set="golden", recall_at_50=0.9)])
    store.flush()
    return lake
