"""Events and the stream processor on a real Redis: each event once, rows that follow, lag that is real."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import redis

from sandbox.base.config import Config, Edge
from sandbox.base.errors import SandboxError
from sandbox.base.features import USER_SEEN, USER_SESSION, key, unpack_many
from sandbox.runtime.local.ports import LOOPBACK, pick
from services.events.core import GROUP, IMPRESSIONS, PROGRESS, REMEMBERED, STREAM, Entry
from services.events.processor import CONSUMER
from services.events.processor import REGISTRATION as PROCESSOR
from services.events.server import REGISTRATION as EVENTS
from services.proto.recsys.v1 import events_pb2, events_pb2_grpc, gateway_pb2
from services.skeleton.context import CURRENT, Context
from services.skeleton.host import Host
from tests.services.harness import WORLD_START, make_run, redis_at, rows, serving
from tests.services.waiting import until

EDGE = Edge(deadline_ms=2_000, attempts=1)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def caller(run):
    CURRENT.set(Context("ab" * 16, "1" * 16, None, "test"))
    return Host("gateway", run, "gateway-0").callee("events", events_pb2_grpc.EventsStub)


def click(event_id, item, user=3, **changes):
    fields = {"event_ts": WORLD_START, "request_id": "r", "session_id": "7", "kind": "click"}
    return gateway_pb2.Feedback(event_id=event_id, item_id=item, user_id=user, **(fields | changes))


def batch(*events):
    return gateway_pb2.LogFeedbackRequest(events=events)


def slate(*items, user=3):
    return events_pb2.AppendImpressionsRequest(
        event_ts=WORLD_START, request_id="r", session_id="7", user_id=user, item_ids=items
    )


def session_row(store, user=3):
    return unpack_many(USER_SESSION, [store.get(key(USER_SESSION, user))], -1e300).values[0]


def seen_row(store, user=3):
    return unpack_many(USER_SEEN, [store.get(key(USER_SEEN, user))], -1e300).values[0]


def pending(store):
    return store.xpending(STREAM, GROUP)["pending"]


async def test_an_event_is_taken_once(run):
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS) as hosts:
            callee = caller(run)
            first = await callee.call("Append", batch(click("a", 1), click("b", 2)), EDGE)
            again = await callee.call("Append", batch(click("b", 2), click("c", 3)), EDGE)
            await callee.close()
            outcomes = rows(hosts["events"], "outcomes")
        assert (first.accepted, first.duplicate) == (2, 0)
        assert (again.accepted, again.duplicate) == (1, 1)
        assert store.xlen(STREAM) == 3
        assert [row[2] for row in outcomes] == ["a", "b", "c"]
        assert float(store.hget(PROGRESS, "written_ts")) == WORLD_START
        assert 0 < store.ttl(f"{REMEMBERED}a") <= Config().events.dedupe_s


async def test_calls_that_come_together_share_a_round_trip_and_each_hears_of_its_own(run):
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS) as hosts:
            callee = caller(run)
            await callee.call("Append", batch(click("0", 1)), EDGE)  # the connection, and the script, are there
            before = store.info("commandstats")["cmdstat_evalsha"]["calls"]
            calls = [
                batch(click("a", 1), click("b", 2)),
                batch(click("b", 2), click("c", 3)),
                batch(click("d", 99_999)),
            ]
            told = await asyncio.gather(*(callee.call("Append", c, EDGE) for c in calls), return_exceptions=True)
            trips = store.info("commandstats")["cmdstat_evalsha"]["calls"] - before
            await callee.close()
            outcomes = rows(hosts["events"], "outcomes")
        assert [(t.accepted, t.duplicate) for t in told[:2]] == [(2, 0), (1, 1)]
        assert told[2].kind.code == "WIRE-003"  # a bad call costs the others nothing
        assert trips == 1
        assert [row[2] for row in outcomes] == ["0", "a", "b", "c"]
        assert store.xlen(STREAM) == 4


async def test_calls_that_came_together_are_all_refused_where_the_store_takes_nothing(run):
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS):
            callee = caller(run)
            store.config_set("maxmemory", 1)
            calls = [callee.call("Append", batch(click(name, 1)), EDGE) for name in "ab"]
            told = await asyncio.gather(*calls, return_exceptions=True)
            store.config_set("maxmemory", 0)
            again = await callee.call("Append", batch(click("a", 1), click("b", 1)), EDGE)
            await callee.close()
        assert [error.kind.code for error in told] == ["STORE-004", "STORE-004"]
        assert (again.accepted, again.duplicate) == (2, 0)


async def test_a_call_with_one_bad_event_takes_none(run):
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS):
            callee = caller(run)
            with pytest.raises(SandboxError) as caught:
                await callee.call("Append", batch(click("a", 1), click("b", 10_000)), EDGE)
            empty = await callee.call("Append", batch(), EDGE)
            await callee.close()
        assert (caught.value.kind.code, caught.value.where) == ("WIRE-003", "events[1].item_id")
        assert (empty.accepted, empty.duplicate) == (0, 0)
        assert store.xlen(STREAM) == 0


async def test_the_stream_is_bounded(run):
    config = Config()
    config.events.stream_maxlen = 1_000
    config.save(run.path)
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS):
            callee = caller(run)
            for i in range(5):
                events = [click(f"{i}-{j}", 1) for j in range(500)]
                await callee.call("Append", batch(*events), EDGE)
            await callee.close()
        assert store.xlen(STREAM) < 1_500


async def test_the_rows_follow_what_happened(run):
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS, PROCESSOR):
            callee = caller(run)
            await callee.call("AppendImpressions", slate(4, 5, 6), EDGE)
            await callee.call("Append", batch(click("a", 4), click("b", 6)), EDGE)
            await until(lambda: session_row(store)[3] == 6)
            await callee.close()
        session = session_row(store)
        assert session[3:6].tolist() == [6, 4, -1]
        assert session[-24:].sum() == pytest.approx(1.0)
        assert seen_row(store)[:4].tolist() == [6, 5, 4, -1]
        assert pending(store) == 0
        assert float(store.hget(PROGRESS, "processed_ts")) == WORLD_START


def next_process(run):
    """The run for another life of the stream processor: a /metrics port closes with its process, which goes on
    here."""
    (port,) = pick(1, run.path / "next")
    return replace(run, metrics=run.metrics | {"stream": f"{LOOPBACK}:{port}"})


async def test_what_a_dead_processor_had_read_is_done_once(run):
    entries = [Entry(IMPRESSIONS, 3, 7, WORLD_START, (1, 2)), Entry("click", 3, 7, WORLD_START + 1, (2,))]
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        store.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        for entry in entries:
            store.xadd(STREAM, {"e": entry.encode()})
        store.xadd(STREAM, {"e": b"rubbish"})
        store.xreadgroup(GROUP, CONSUMER, {STREAM: ">"})  # and then it died
        assert pending(store) == 3
        async with serving(run, PROCESSOR) as hosts:
            await until(lambda: pending(store) == 0)
            warned = [row for row in rows(hosts["stream"], "logs") if row[3] == "warn"]
        assert session_row(store)[3:5].tolist() == [2, -1]
        assert seen_row(store)[:3].tolist() == [2, 1, -1]
        assert [row[4] for row in warned] == ["stream entries passed over"]


async def test_rows_that_were_written_and_not_acknowledged_are_done_again_to_no_effect(run):
    entries = [
        Entry(IMPRESSIONS, 3, 7, WORLD_START, (1, 2)),
        Entry("click", 3, 7, WORLD_START + 1, (2,)),
        Entry("click", 3, 8, WORLD_START + 2, (1,)),
    ]
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        for entry in entries:
            store.xadd(STREAM, {"e": entry.encode()})
        async with serving(run, PROCESSOR):
            await until(lambda: store.hget(PROGRESS, "processed_ts") is not None)
        once = {name: store.get(name) for name in store.keys("*{3}")}
        store.xgroup_destroy(STREAM, GROUP)
        store.xgroup_create(STREAM, GROUP, id="0")
        store.xreadgroup(GROUP, CONSUMER, {STREAM: ">"})  # the rows of these were written; then it died
        async with serving(next_process(run), PROCESSOR):
            await until(lambda: pending(store) == 0)
        again = {name: store.get(name) for name in store.keys("*{3}")}
    assert len(once) == 3, "session, seen and visit"
    assert again == once


async def test_a_store_that_is_full_refuses_events_by_code_and_the_processor_waits_for_room(run):
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS, PROCESSOR) as hosts:
            gate = Gate()
            hosts["stream"].seams.write.put(gate)
            callee = caller(run)
            await callee.call("Append", batch(click("a", 1)), EDGE)
            await until(lambda: gate.calls)
            store.config_set("maxmemory", 1)
            gate.open.set()
            with pytest.raises(SandboxError) as refused:
                await callee.call("Append", batch(click("b", 2)), EDGE)
            await until(lambda: any(row[4] == "event store takes no writes" for row in rows(hosts["stream"], "logs")))
            assert store.get(key(USER_SESSION, 3)) is None
            store.config_set("maxmemory", 0)
            assert (await callee.call("Append", batch(click("b", 2)), EDGE)).accepted == 1
            await until(lambda: store.get(key(USER_SESSION, 3)) and session_row(store)[3] == 2)
            await callee.close()
        assert refused.value.kind.code == "STORE-004"
        assert session_row(store)[3:6].tolist() == [2, 1, -1], "nothing that was taken in is lost"


class Gate:
    """A wrapper that holds writes until it is opened."""

    def __init__(self):
        self.open = asyncio.Event()
        self.calls = []

    async def around(self, call, proceed):
        self.calls.append(call)
        await self.open.wait()
        return await proceed(call)


async def test_a_held_write_makes_the_processor_lag_and_nothing_is_lost(run):
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS, PROCESSOR) as hosts:
            gate = Gate()
            hosts["stream"].seams.write.put(gate)
            callee = caller(run)
            for i in range(3):
                ts = WORLD_START + i
                await callee.call("Append", batch(click(f"{i}", i, event_ts=ts)), EDGE)
            await until(lambda: gate.calls)
            assert store.get(key(USER_SESSION, 3)) is None
            assert store.hget(PROGRESS, "processed_ts") is None
            assert float(store.hget(PROGRESS, "written_ts")) == WORLD_START + 2
            gate.open.set()
            hosts["stream"].seams.write.take_off(gate)
            await until(lambda: store.hget(PROGRESS, "processed_ts") == b"1772000002.0")
            await callee.close()
        assert session_row(store)[3:6].tolist() == [2, 1, 0]
        assert gate.calls[0].peer == "user_session"
        assert gate.calls[0].attributes["event_ts"] >= WORLD_START


async def test_a_dead_store_refuses_events_and_the_processor_returns_with_it(run):
    async with serving(run, EVENTS, PROCESSOR) as hosts:
        callee = caller(run)
        with pytest.raises(SandboxError) as caught:
            await callee.call("Append", batch(click("a", 1)), EDGE)
        assert caught.value.kind.code == "STORE-001"
        await until(lambda: any(row[4] == "event store unreachable" for row in rows(hosts["stream"], "logs")))
        with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
            assert (await callee.call("Append", batch(click("a", 1)), EDGE)).accepted == 1
            await until(lambda: store.get(key(USER_SESSION, 3)) is not None)
        await callee.close()


async def test_a_processor_that_is_stopped_in_the_middle_of_a_batch_leaves_it_for_the_next(run):
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        async with serving(run, EVENTS, PROCESSOR) as hosts:
            gate = Gate()
            hosts["stream"].seams.write.put(gate)
            callee = caller(run)
            await callee.call("Append", batch(click("a", 1)), EDGE)
            await until(lambda: gate.calls)
            await callee.close()
        assert pending(store) == 1
        async with serving(next_process(run), PROCESSOR):
            await until(lambda: pending(store) == 0)
        assert session_row(store)[3] == 1
