"""The skeleton, with a real gRPC server on loopback: deadlines, retries, typed errors, drain, health."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from faults.arming import wrapper_for
from sandbox.base.config import Config, Edge
from sandbox.base.errors import SandboxError
from sandbox.base.frames import Decoder
from sandbox.base.run import RunInfo
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc, rules_pb2, rules_pb2_grpc
from services.skeleton.context import CURRENT, Context
from services.skeleton.host import Host, Registration, serve
from tests.services.harness import free_addresses
from tests.services.waiting import answering, until


class SlowRules(rules_pb2_grpc.RulesServicer):
    """Answers after slate_size milliseconds; slate_size 0 is refused; user -1 crashes."""

    def __init__(self, host):
        self.host, self.calls, self.cancelled = host, 0, 0
        self.remaining_s = None

    async def start(self):
        pass

    async def stop(self):
        pass

    async def reconfigure(self, config):
        self.reconfigured = config.version

    async def Apply(self, request, context):
        self.calls += 1
        self.remaining_s = context.remaining_s()
        if request.slate_size == 0:
            raise SandboxError("WIRE-002", where="slate_size", seen=0, expected="1..100", fix="ask for more")
        if request.user_id == -1:
            raise ZeroDivisionError("a bug")
        try:
            await asyncio.sleep(request.slate_size / 1000)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return rules_pb2.ApplyResponse(rules_version=f"for {context.caller}")


@asynccontextmanager
async def stack(tmp_path):
    """A rules server and a gateway that calls it: (server's servicer, callee, host of the caller, stop)."""
    addresses, metrics = free_addresses(tmp_path)
    run = RunInfo(str(tmp_path), "none", str(tmp_path), 1e9, time.time(), 60.0, 1, "", addresses, metrics)
    Config().save(tmp_path)
    servicers, stop = [], asyncio.Event()

    def build(host):
        servicers.append(SlowRules(host))
        return servicers[0]

    registration = Registration("rules", build, rules_pb2.DESCRIPTOR.services_by_name["Rules"])
    server = asyncio.create_task(serve(Host("rules", run, "rules-0"), registration, stop))
    caller = Host("gateway", run, "gateway-0")
    callee = caller.callee("rules", rules_pb2_grpc.RulesStub)
    await answering(addresses["rules"], server)
    try:
        yield servicers[0], callee, caller, stop, server
    finally:
        stop.set()
        await callee.close()
        await server


def ask(ms, user=1):
    return rules_pb2.ApplyRequest(slate_size=ms, user_id=user)


async def test_an_answer_comes_back_with_the_callers_name(tmp_path):
    async with stack(tmp_path) as (_, callee, *_rest):
        answer = await callee.call("Apply", ask(1), Edge(deadline_ms=500))

    assert answer.rules_version == "for gateway"


async def test_the_edge_deadline_ends_the_call_and_cancels_the_handler(tmp_path):
    async with stack(tmp_path) as (servicer, callee, *_):
        began = time.perf_counter()
        with pytest.raises(SandboxError) as caught:
            await callee.call("Apply", ask(3_000), Edge(deadline_ms=60))
        took = time.perf_counter() - began
        await until(lambda: servicer.cancelled)

    assert caught.value.kind.code == "WIRE-004"
    assert took < 1.0


async def test_the_callers_own_deadline_is_handed_on(tmp_path):
    async with stack(tmp_path) as (servicer, callee, *_):
        CURRENT.set(Context("0" * 32, "0" * 16, None, "client", deadline=time.perf_counter() + 0.3))
        await callee.call("Apply", ask(1), Edge(deadline_ms=5_000))
        CURRENT.set(None)

    assert servicer.remaining_s < 0.3


async def test_no_time_left_means_no_call(tmp_path):
    async with stack(tmp_path) as (servicer, callee, *_):
        CURRENT.set(Context("0" * 32, "0" * 16, None, "client", deadline=time.perf_counter()))
        with pytest.raises(SandboxError, match="WIRE-004"):
            await callee.call("Apply", ask(1), Edge(deadline_ms=5_000))
        CURRENT.set(None)

    assert servicer.calls == 0


async def test_a_typed_error_arrives_as_itself(tmp_path):
    async with stack(tmp_path) as (servicer, callee, *_):
        with pytest.raises(SandboxError) as caught:
            await callee.call("Apply", ask(0), Edge(deadline_ms=500))

    assert caught.value.kind.code == "WIRE-002"
    assert (caught.value.where, caught.value.fix) == ("slate_size", "ask for more")
    assert servicer.calls == 1  # a refusal is not retried


async def test_a_crash_in_a_handler_is_a_typed_error_and_the_service_goes_on(tmp_path):
    async with stack(tmp_path) as (_, callee, *_rest):
        with pytest.raises(SandboxError, match="WIRE-006"):
            await callee.call("Apply", ask(1, user=-1), Edge(deadline_ms=500))

        assert await callee.call("Apply", ask(1), Edge(deadline_ms=500))


async def test_a_dead_callee_is_tried_again_and_then_reported(tmp_path):
    async with stack(tmp_path) as (_, _callee, caller, *_rest):
        caller.run = replace(caller.run, addresses=free_addresses(tmp_path, attempt=1)[0])
        nobody = caller.callee("model", rules_pb2_grpc.RulesStub)
        with pytest.raises(SandboxError) as caught:
            await nobody.call("Apply", ask(1), Edge(deadline_ms=2_000, attempts=3))
        retries = sum(line.tally.retries for lines in nobody._lines.values() for line in lines)
        await nobody.close()

    assert caught.value.kind.code == "WIRE-005"
    assert retries == 2


async def test_malformed_bytes_are_refused_and_the_service_goes_on(tmp_path):
    async with stack(tmp_path) as (_, callee, caller, *_rest):
        async with aio.insecure_channel(caller.run.addresses["rules"]) as channel:
            raw = channel.unary_unary("/recsys.v1.Rules/Apply")
            with pytest.raises(aio.AioRpcError) as caught:
                await raw(b"\xff\xff\xff not a message", timeout=2)

        assert await callee.call("Apply", ask(1), Edge(deadline_ms=500))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "WIRE-007" in caught.value.details()


async def test_draining_finishes_what_was_begun_and_says_not_serving(tmp_path):
    async with stack(tmp_path) as (servicer, callee, caller, stop, server):
        async with aio.insecure_channel(caller.run.addresses["rules"]) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            watch = health.Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
            slow = asyncio.create_task(callee.call("Apply", ask(700), Edge(deadline_ms=5_000)))
            await until(lambda: servicer.calls)
            stop.set()
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            watch.cancel()

        assert (await slow).rules_version == "for gateway"
        await server


async def test_admin_reload_hands_the_new_documents_to_the_service(tmp_path):
    async with stack(tmp_path) as (servicer, _, caller, *_rest):
        Config(version=7).save(tmp_path)
        async with aio.insecure_channel(caller.run.addresses["rules"]) as channel:
            admin = admin_pb2_grpc.AdminStub(channel)
            answer = await admin.Reload(admin_pb2.ReloadRequest())
            described = await admin.Describe(admin_pb2.DescribeRequest())

    assert answer.config_version == servicer.reconfigured == described.config_version == 7


async def test_a_malformed_configuration_is_refused_and_the_old_one_stays(tmp_path):
    async with stack(tmp_path) as (_, _callee, caller, *_rest):
        (tmp_path / "config.json").write_text('{"version": 2, "colour": "red"}')
        async with aio.insecure_channel(caller.run.addresses["rules"]) as channel:
            admin = admin_pb2_grpc.AdminStub(channel)
            with pytest.raises(aio.AioRpcError, match="CFG-003"):
                await admin.Reload(admin_pb2.ReloadRequest())
            described = await admin.Describe(admin_pb2.DescribeRequest())

    assert described.config_version == 1


async def test_reflection_lists_the_service(tmp_path):
    async with stack(tmp_path) as (_, _callee, caller, *_rest):
        address = caller.run.addresses["rules"]

        def listed():
            with grpc.insecure_channel(address) as channel:
                return list(ProtoReflectionDescriptorDatabase(channel).get_services())

        names = await asyncio.to_thread(listed)

    assert {"recsys.v1.Rules", "recsys.v1.Admin", "grpc.health.v1.Health"} <= set(names)


async def test_an_armed_edge_is_slow_on_the_client_side_only_and_heals_when_disarmed(tmp_path):
    async with stack(tmp_path) as (_, callee, caller, *_rest):
        spec = {"fault": "rpc-edge-latency", "params": {"delay_ms": 120}, "scope": {"callee": "rules", "paths": ["a"]}}
        seam, wrapper = wrapper_for(spec, caller.seams, "gateway")
        caller.seams.named(seam).put(wrapper)
        took = {}
        for path in "ab":
            began = time.perf_counter()
            await callee.call("Apply", ask(1), Edge(deadline_ms=2_000, path=path))
            took[path] = time.perf_counter() - began
        with pytest.raises(SandboxError, match="WIRE-004"):
            await callee.call("Apply", ask(1), Edge(deadline_ms=50))
        caller.seams.rpc.take_off(wrapper)
        began = time.perf_counter()
        await callee.call("Apply", ask(1), Edge(deadline_ms=2_000))
        healed = time.perf_counter() - began

    assert took["a"] > 0.12 > took["b"]
    assert healed < 0.12


@asynccontextmanager
async def collector(tmp_path):
    """Whatever arrives at the collector's socket, as a list of frames."""
    frames = []

    async def collect(reader, writer):
        decoder = Decoder()  # of this connection: several are open at once
        while received := await reader.read(65_536):
            frames.extend(decoder.feed(received))
        writer.close()

    server = await asyncio.start_unix_server(collect, str(tmp_path / "collector.sock"))
    yield frames
    server.close()


async def arrived(frames, table, n):
    def rows():
        return [r for f in frames if f.table == table for r in f.rows]

    await until(lambda: len(rows()) >= n)
    return rows()


async def test_a_call_that_spans_two_samples_is_counted_where_it_ends(tmp_path):
    async with collector(tmp_path) as frames, stack(tmp_path) as (_, callee, caller, *_rest):
        await caller.telemetry.start()
        slow = asyncio.create_task(callee.call("Apply", ask(300), Edge(deadline_ms=5_000)))
        await until(lambda: next(iter(callee._lines["a"])).tally.inflight)
        callee.sample(1.0)
        await slow
        callee.sample(1.0)
        callee.sample(1.0)  # an edge without calls has no row
        await caller.telemetry.stop()
        before, after = await arrived(frames, "rpc_edges", 2)

    # per second, p99 in milliseconds, in progress
    assert (before[5], before[8], before[9]) == (0.0, None, 1)
    assert (after[5], after[9]) == (1.0, 0)
    assert after[8] >= 300


async def test_rows_that_cannot_be_sent_are_dropped_and_counted_and_the_others_follow(tmp_path):
    async with collector(tmp_path) as frames, stack(tmp_path) as (_, _callee, caller, *_rest):
        telemetry = caller.telemetry
        await telemetry.start()
        telemetry.row("metrics", (1e9, "ctr", object(), 1.0))
        await until(lambda: telemetry.dropped)
        for _ in range(12_000):
            telemetry.row("metrics", (1e9, "ctr", "all", 1.0))
        await telemetry.stop()
        assert len(await arrived(frames, "metrics", 12_000)) == 12_000
        logs = await arrived(frames, "logs", 2)

    assert telemetry.dropped == 1
    assert [row[5] for row in logs if row[4] == "rows cannot be sent"]


async def test_client_and_server_spans_of_a_call_belong_together(tmp_path):
    async with collector(tmp_path) as frames, stack(tmp_path) as (_, callee, caller, *_rest):
        await caller.telemetry.start()
        CURRENT.set(Context("a" * 32, "b" * 16, None, "client", user=5))
        await callee.call("Apply", ask(1), Edge(deadline_ms=500))
        CURRENT.set(None)
        await caller.telemetry.stop()
        await arrived(frames, "spans", 2)

    spans = {row[7]: row for f in frames if f.table == "spans" for row in f.rows}
    client, server = spans["client"], spans["server"]
    assert client[1] == server[1] == "a" * 32  # trace_id
    assert server[3] == client[2]  # the server span's parent is the client span
    assert client[3] == "b" * 16
    assert client[9] > server[9]  # dur_ms


@pytest.mark.parametrize("ports", ["addresses", "metrics"])
async def test_a_port_that_was_taken_meanwhile_is_said_by_code(tmp_path, ports):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        addresses = dict(zip(("addresses", "metrics"), free_addresses(tmp_path), strict=True))
        addresses[ports]["rules"] = f"127.0.0.1:{taken.getsockname()[1]}"
        run = RunInfo(str(tmp_path), "none", str(tmp_path), 1e9, time.time(), 60.0, 1, "", **addresses)
        Config().save(tmp_path)
        registration = Registration("rules", SlowRules)

        with pytest.raises(SandboxError, match="RUN-006"):
            await serve(Host("rules", run, "rules-0"), registration, asyncio.Event())
