"""Two instances of one callee, with real servers: spread, noticed when they come and go, survived when one dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from grpc import aio

from faults.arming import wrapper_for
from faults.scope import Scope
from sandbox.base.config import Config, Edge, GatewayConfig
from sandbox.base.errors import SandboxError
from sandbox.base.run import save_endpoints
from sandbox.base.schema import TABLES
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc, rules_pb2, rules_pb2_grpc
from services.skeleton.host import Host, Registration, serve
from tests.services.harness import free_addresses, make_run, rows
from tests.services.test_skeleton import SlowRules, ask
from tests.services.waiting import answering, until

RULES = Registration("rules", SlowRules, rules_pb2.DESCRIPTOR.services_by_name["Rules"])
EDGE = Edge(deadline_ms=2_000)


@asynccontextmanager
async def instance(run, name):
    """One instance of rules, serving; drained at the end."""
    stop, host = asyncio.Event(), Host("rules", run, name)
    server = asyncio.create_task(serve(host, RULES, stop))
    await answering(run.instances("rules")[name], server)
    try:
        yield host
    finally:
        stop.set()
        await server


@asynccontextmanager
async def pair(folder, balancing="round_robin"):
    """Two instances and a gateway that calls them: hosts by instance, callee, host of the caller, stops by instance."""
    run = make_run(folder, Config(gateway=GatewayConfig(balancing=balancing)))
    run = run.with_process("rules-1", *(addresses["rules"] for addresses in free_addresses(folder, attempt=1)))
    stops = {name: AsyncExitStack() for name in ("rules-0", "rules-1")}
    try:
        hosts = {name: await stop.enter_async_context(instance(run, name)) for name, stop in stops.items()}
        caller = Host("gateway", run, "gateway-0")
        callee = caller.callee("rules", rules_pb2_grpc.RulesStub)
        await connected(callee, 2)
        yield hosts, callee, caller, stops
        await callee.close()
    finally:
        for stop in stops.values():
            await stop.aclose()


async def connected(callee, n, path="a"):
    await callee.tidy()
    await until(lambda: sum(line.state.name == "READY" for line in callee._lines[path]) == n, 10)


def served(hosts):
    """Calls answered, by instance, as their spans tell."""
    spans = [row for host in hosts.values() for row in rows(host, "spans")]
    return Counter(row[5] for row in spans if row[7] == "server" and row[11] == "OK")


async def call(callee, n, **edge):
    for _ in range(n):
        await callee.call("Apply", ask(1), EDGE.model_copy(update=edge))


async def test_calls_go_to_each_in_turn_and_spans_say_to_which(tmp_path):
    async with pair(tmp_path) as (hosts, callee, caller, _):
        await call(callee, 10)
        callee.sample(1.0)

        assert served(hosts) == {"rules-0": 5, "rules-1": 5}
        edges = {row[3]: row[5] for row in rows(caller, "rpc_edges")}
        assert edges == {"rules-0": 5.0, "rules-1": 5.0}


async def test_each_network_path_leads_to_all_of_them(tmp_path):
    async with pair(tmp_path) as (hosts, callee, caller, _):
        await connected(callee, 2, "b")
        await call(callee, 4, path="b")
        callee.sample(1.0)

        assert served(hosts) == {"rules-0": 2, "rules-1": 2}
        assert {row[4] for row in rows(caller, "rpc_edges")} == {"b"}


async def test_pick_first_pins_all_calls_until_the_setting_is_another(tmp_path):
    async with pair(tmp_path, "pick_first") as (hosts, callee, caller, _):
        await call(callee, 6)
        assert served(hosts) == {"rules-0": 6}

        caller.config = Config()  # as a reload leaves it
        await call(callee, 6)
        assert served(hosts) == {"rules-0": 9, "rules-1": 3}


@pytest.mark.parametrize("balancing", ["round_robin", "pick_first"])
async def test_one_that_dies_is_left_alone_and_no_call_is_lost(tmp_path, balancing):
    async with pair(tmp_path, balancing) as (hosts, callee, caller, stops):
        await call(callee, 4)
        await stops["rules-0"].aclose()
        await call(callee, 10)

        assert served(hosts)["rules-1"] >= 10
        statuses = [row[11] for row in rows(caller, "spans")]
        assert statuses.count("OK") == 14


async def test_when_all_are_gone_the_error_names_one_and_comes_at_once(tmp_path):
    async with pair(tmp_path) as (_, callee, _caller, stops):
        for stop in stops.values():
            await stop.aclose()
        with pytest.raises(SandboxError) as caught:
            async with asyncio.timeout(5):
                await callee.call("Apply", ask(1), EDGE)

    assert caught.value.kind.code == "WIRE-005"
    assert "gateway->rules-" in str(caught.value)


async def test_who_comes_or_goes_is_noticed_where_the_supervisor_tells(tmp_path):
    async with pair(tmp_path) as (hosts, callee, caller, _):
        there = caller.run.instances("rules")
        looking = asyncio.create_task(caller.sample_edges())
        save_endpoints(tmp_path, {"rules": {"rules-0": there["rules-0"]}})
        await until(lambda: len(callee._lines["a"]) == 1, 5)
        await call(callee, 4)
        assert served(hosts) == {"rules-0": 4}

        save_endpoints(tmp_path, {"rules": there})
        await until(lambda: len(callee._lines["a"]) == 2, 5)
        await connected(callee, 2)
        await call(callee, 4)
        assert served(hosts) == {"rules-0": 6, "rules-1": 2}

        save_endpoints(tmp_path, {})  # nobody can be called: what was planned is tried
        await until(lambda: list(callee._lines["a"]._there) == list(there), 5)
        await call(callee, 2)
        looking.cancel()


async def test_calls_in_progress_end_on_one_that_is_called_no_more(tmp_path):
    async with pair(tmp_path, "pick_first") as (hosts, callee, caller, _):
        slow = asyncio.create_task(callee.call("Apply", ask(400), EDGE))
        await until(lambda: hosts["rules-0"].pool.inflight == 1, 5)
        callee.follow({"rules-1": caller.run.instances("rules")["rules-1"]})
        await callee.tidy()
        await call(callee, 2)

        assert (await slow).rules_version == "for gateway"
        assert served(hosts) == {"rules-0": 1, "rules-1": 2}


async def test_a_fault_can_be_scoped_to_one_instance(tmp_path):
    async with pair(tmp_path) as (hosts, callee, caller, _):
        spec = {"fault": "rpc-edge-latency", "params": {"delay_ms": 80}, "scope": {"instances": ["rules-1"]}}
        name, wrapper = wrapper_for(spec, caller.seams, "gateway")
        caller.seams.named(name).put(wrapper)
        await call(callee, 6)

        slow = [row[9] >= 80 for row in rows(caller, "spans")]
        assert slow == [False, True] * 3 or slow == [True, False] * 3
        assert served(hosts) == {"rules-0": 3, "rules-1": 3}


async def test_rows_of_one_instance_can_be_lost_while_the_others_stay(tmp_path):
    async with pair(tmp_path) as (hosts, *_):
        for host in hosts.values():
            host.seams.log.put(Losing())
            host.telemetry.log("info", "here")

        told = [row for host in hosts.values() for row in rows(host, "logs")]
        said = TABLES["logs"].names.index("msg")
        assert [row[2] for row in told if row[said] == "here"] == ["rules-0"]


class Losing:
    """Loses what rules-1 writes."""

    scope = Scope(instances=("rules-1",))

    def around_sync(self, call, proceed):
        return None if self.scope.holds(call) else proceed(call)


async def test_settings_bound_the_handlers_and_further_calls_stand_in_line(tmp_path):
    async with pair(tmp_path, "pick_first") as (hosts, callee, *_):
        host = hosts["rules-0"]
        Config(rules={"max_handlers": 1}).save(tmp_path)
        async with aio.insecure_channel(host.run.instances("rules")["rules-0"]) as channel:
            await admin_pb2_grpc.AdminStub(channel).Reload(admin_pb2.ReloadRequest(), timeout=5)
        await asyncio.gather(*(callee.call("Apply", ask(60), EDGE) for _ in range(3)))

        queued = sorted(row[10] for row in rows(host, "spans") if row[7] == "server")
        assert queued[0] < 30
        assert queued[2] >= 110
