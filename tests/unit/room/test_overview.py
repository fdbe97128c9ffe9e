"""The numbers that everybody watches: what the lake says, once in a while, and what was seen last where it can't."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.overview import Lookout, sql, told
from sandbox.telemetry.segments import SegmentStore
from sandbox.telemetry.sql import Result, SqlWorker
from tests.unit.telemetry.toy import START, request, row


class Watched:
    """Stands for a room: each look finds another rate, and some fail."""

    def __init__(self) -> None:
        self.looks, self.fails, self.while_it_looks, self.is_settled = 0, False, lambda: None, False

    def now(self) -> float:
        return 60.0 * self.looks

    def look_up(self, sql: str, max_rows: int) -> tuple[Result, float]:
        self.looks += 1
        self.while_it_looks()
        if self.fails:
            raise SandboxError("LAKE-002", where="SQL", seen="slow", expected="quick", fix="-")
        return Result([], [], [["edge", "a", "b", float(self.looks), None, float("nan"), 1]]), 0.0


def test_a_lake_without_rows_has_an_empty_overview(tmp_path: Path):
    with SqlWorker(tmp_path / "lake") as worker:
        seen = told(worker.query(sql()).rows, 7.0)

    assert seen.model_dump() == {
        "world_ts": 7.0, "edges": [], "flows": [], "nodes": [], "store": None, "stream": None, "jobs": [], "versions": [],
        "changes": [], "alerts": [], "signals": {},
    }  # fmt: skip


def test_it_is_looked_for_again_once_it_is_old():
    room, hands = Watched(), [0.0]
    lookout = Lookout(room, lambda: hands[0], 2.0)  # type: ignore[arg-type]

    rates = []
    for now in (0.0, 1.0, 1.9, 2.0, 3.0, 4.5):
        hands[0] = now
        rates.append(lookout.seen().edges[0].rate)

    assert rates == [1.0, 1.0, 1.0, 2.0, 2.0, 3.0]
    assert lookout.seen().edges[0].p99_ms is None  # what is not a number is none in JSON


def test_what_was_seen_last_stays_while_the_lake_cannot_be_asked():
    room, hands = Watched(), [0.0]
    lookout = Lookout(room, lambda: hands[0], 2.0)  # type: ignore[arg-type]
    first = lookout.seen()
    room.fails, hands[0] = True, 10.0

    assert lookout.seen() == first
    assert room.looks == 2


def test_a_lake_that_is_slow_is_looked_at_less_often():
    room, hands = Watched(), [0.0]
    room.while_it_looks = lambda: hands.__setitem__(0, hands[0] + 1.0)
    lookout = Lookout(room, lambda: hands[0], 2.0)  # type: ignore[arg-type]

    for now in (0.0, 4.5, 8.0, 9.0):
        hands[0] = max(hands[0], now)
        lookout.seen()

    assert room.looks == 2


def test_one_look_that_took_very_long_is_not_shown_for_ever():
    room, hands = Watched(), [0.0]
    room.while_it_looks = lambda: hands.__setitem__(0, hands[0] + 8.0)
    lookout = Lookout(room, lambda: hands[0], 2.0)  # type: ignore[arg-type]
    lookout.seen()

    hands[0] += 7.0
    lookout.seen()

    assert room.looks == 2


def test_a_world_that_is_over_is_looked_at_once_more_and_not_again():
    room, hands = Watched(), [0.0]
    lookout = Lookout(room, lambda: hands[0], 2.0)  # type: ignore[arg-type]
    lookout.seen()
    room.is_settled = True

    for now in (1.0, 10.0, 20.0, 30.0):
        hands[0] = now
        lookout.seen()

    assert room.looks == 2


def test_it_tells_of_the_batch_job_of_what_serves_and_of_what_was_changed(tmp_path: Path):
    """The job's last run for a view, versions by their share, and the latest changes last; what was long ago is no news."""
    store = SegmentStore(tmp_path, lambda: 0.0)
    add = store.add
    add("procs", [row("procs", ts=START + 3_600, service="gateway")])
    add("materialization_runs", [
        row("materialization_runs", view="user_recent", finished=START + at, status=status, rows_written=n)
        for at, status, n in ((600, "OK", 9), (1_200, "FAILED", 0), (9_000, "OK", 7))
    ])  # fmt: skip
    add(
        "requests",
        [request(n, model_version=v, index_version="ix") for n, v in ((3_500, "a"), (3_510, "a"), (3_520, "b"))],
    )
    add("changes", [
        row("changes", ts=START + at, target="model", key="version", old="a", new=new, actor="bot") for at, new in ((-9, "z"), (3_500, "b"))
    ])  # fmt: skip
    store.flush()

    with SqlWorker(tmp_path) as worker:
        seen = told(worker.query(sql()).rows, START + 3_600)

    assert [(job.view, job.status, job.rows, job.finished_ts) for job in seen.jobs] == [
        ("user_recent", "FAILED", 0, START + 1_200)
    ]
    shares = {(one.of, one.version): one.share for one in seen.versions}
    assert shares[("model_version", "a")] == pytest.approx(2 / 3, abs=1e-3)
    assert shares[("index_version", "ix")] == 1.0
    assert [(one.target, one.text) for one in seen.changes] == [("model", "version: a → b (bot)")]


def test_round_trips_to_the_store_are_an_edge_and_the_stream_two_flows(tmp_path: Path):
    """Of the last five minutes: what was before, and other spans, do not count."""
    store = SegmentStore(tmp_path, lambda: 0.0)

    def trip(at_s: float, ms: float, **other: object) -> tuple[object, ...]:
        told = {"kind": "store", "service": "features", "peer": "redis", "status": "OK", **other}
        return row("spans", ts=START + at_s, dur_ms=ms, **told)

    store.add("procs", [row("procs", ts=START + 3_600, service="features")])
    store.add("spans", [
        *(trip(3_400 + n, 2.0) for n in range(8)), trip(3_450, 50.0, status="DEADLINE_EXCEEDED"), trip(3_500, 1.0),
        trip(100, 900.0), trip(3_500, 900.0, kind="server"),
    ])  # fmt: skip
    store.add("redis_stats", [row("redis_stats", ts=START + 60.0 * n, node="redis") for n in range(56, 61)])
    store.add("stream_stats", [
        row("stream_stats", ts=START + at, rate_in=a, rate_out=b, last_event_ts=START + at, last_processed_ts=START + at - late)
        for at, a, b, late in ((60, 99.0, 99.0, 0), (3_480, 6.0, 4.0, 20), (3_540, 8.0, 2.0, 45))
    ])  # fmt: skip
    store.flush()

    with SqlWorker(tmp_path) as worker:
        seen = told(worker.query(sql()).rows, START + 3_600)
        then = told(worker.query(sql(now_ts=START + 3_500)).rows, START + 3_500)

    assert [(e.caller, e.callee, e.rate, e.errors) for e in seen.edges] == [("features", "redis", 2.0, 0.1)]
    assert seen.edges[0].p99_ms == pytest.approx(45.7, abs=0.1)
    assert [(f.source, f.target, f.rate, f.behind_s) for f in seen.flows] == [
        ("events", "stream", 7.0, None),
        ("stream", "redis", 3.0, 45.0),
    ]
    assert [(f.rate, f.behind_s) for f in then.flows] == [(6.0, None), (4.0, 20.0)]
