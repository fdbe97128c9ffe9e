"""The handlers of a live process: a setting, in force at a reload, that no order to the process has to wait for."""

from __future__ import annotations

import asyncio

from grpc import aio

from sandbox.base.config import Config, Edge, RulesConfig
from sandbox.base.schema import TABLES
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc
from tests.services.harness import rows
from tests.services.test_skeleton import ask, stack

NAMES = TABLES["spans"].names
TOOK_MS = 300


async def reload(tmp_path, address, handlers):
    Config(rules=RulesConfig(max_handlers=handlers)).save(tmp_path)
    async with aio.insecure_channel(address) as channel:
        await admin_pb2_grpc.AdminStub(channel).Reload(admin_pb2.ReloadRequest(), timeout=5)


async def calls(callee, n):
    return await asyncio.gather(*(callee.call("Apply", ask(TOOK_MS), Edge(deadline_ms=8_000)) for _ in range(n)))


def in_line(host):
    """In how many calls' time each of the server's spans was begun."""
    spans = (dict(zip(NAMES, row, strict=True)) for row in rows(host, "spans"))
    return sorted(round(s["queue_ms"] / TOOK_MS) for s in spans if s["kind"] == "server")


async def test_calls_beyond_the_handlers_wait_and_the_wait_is_measured(tmp_path):
    async with stack(tmp_path) as (servicer, callee, caller, *_):
        await reload(tmp_path, caller.run.addresses["rules"], 1)
        await calls(callee, 3)
        one = in_line(servicer.host)
        servicer.host.telemetry._rows.clear()
        await reload(tmp_path, caller.run.addresses["rules"], None)
        await calls(callee, 3)

        assert (one, in_line(servicer.host)) == ([0, 1, 2], [0, 0, 0])


async def test_more_handlers_let_in_who_waits_for_one(tmp_path):
    async with stack(tmp_path) as (servicer, callee, caller, *_):
        address = caller.run.addresses["rules"]
        await reload(tmp_path, address, 1)
        waiting = asyncio.create_task(calls(callee, 4))
        async with asyncio.timeout(5):
            while servicer.host.pool.waiting < 3:
                await asyncio.sleep(0)

        await reload(tmp_path, address, 8)  # past the line

        assert (servicer.host.pool.waiting, servicer.host.pool.inflight) == (0, 4)
        await waiting
        assert in_line(servicer.host)[-1] < 1
