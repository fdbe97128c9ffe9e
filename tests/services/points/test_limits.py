"""Adaptive limits, put on by their action: the same calls are turned away, and told of, live and virtually."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations
from sandbox.virtual.machine.fabric import dice
from tests.services.points.live import live
from tests.services.points.virtual import Virtual

pytestmark = pytest.mark.timeout(300)

N = 5  # requests at once


class Late:
    """Handlers of a method begin later, so that all have come before one of them is done."""

    def __init__(self, wall, op, seconds):
        self._wall, self._op, self._s = wall, op, seconds

    async def around(self, call, proceed):
        if call.op == self._op:
            await self._wall.wait_until(self._wall.now() + self._s)
        return await proceed(call)


@contextmanager
def late(side, service, op):
    seam, wrapper = side.seams(service).handle, Late(side.wall(service), op, side.late_s)
    seam.put(wrapper)
    try:
        yield
    finally:
        seam.take_off(wrapper)


async def act(side, words):
    await side.operate(lambda operations: Action.parse(words.split()).run(operations, "operator"))


async def burst(side, answered):
    side.forget()
    await side.burst(N, answered)
    return side.rows("requests"), side.rows("shed"), [s for s in side.rows("spans") if s["kind"] == "server"]


async def at_the_gateway(side):
    """Two at a time: requests' statuses, reasons, what spans say, and that feedback passes all the while."""
    await act(side, "concurrency service=gateway mode=gradient least=2 most=2")
    with late(side, "rules", "Apply"):
        requests, shed, spans = await burst(side, 2)
    told = await side.tell()
    await act(side, "concurrency service=gateway mode=off")
    after, none, _ = await burst(side, N)
    refused = {r["request_id"] for r in requests if r["grpc_status"] == "UNAVAILABLE"}
    return {
        "statuses": sorted(r["grpc_status"] for r in requests),
        "a refused one has its row, with place and no time": {
            (r["depth"] > 0, r["region"] is not None, r["latency_ms"] < 5, r["n_items"])
            for r in requests if r["request_id"] in refused
        },
        "rows of shed are about those": {s["trace_id"] for s in shed} == refused,
        "why": [(s["service"], s["op"], s["caller"], s["attempt"], s["reason"], s["limit_now"], s["inflight"]) for s in shed],
        "spans": sorted(s["status"] for s in spans if s["op"] == "Recommend"),
        "feedback": told,
        "off again": (sorted(r["grpc_status"] for r in after), len(none)),
    }  # fmt: skip


async def at_the_model(side):
    """One at a time, so that the first request keeps the others' calls out: stand-ins answer these."""
    await act(side, "concurrency service=model mode=vegas least=1 most=1")
    with late(side, "model", "EncodeUser"):
        requests, shed, _ = await burst(side, N)
    await act(side, "concurrency service=model mode=off")
    return {
        "fallbacks": sorted(r["fallback"] for r in requests),
        "why": sorted({(s["service"], s["op"], s["caller"], s["reason"]) for s in shed}),
        "each once": len(shed) == len({(s["trace_id"], s["op"]) for s in shed}),
    }


EXPECTED = {
    at_the_gateway: {
        "statuses": ["OK"] * 2 + ["UNAVAILABLE"] * 3,
        "a refused one has its row, with place and no time": {(True, True, True, 0)},
        "rows of shed are about those": True,
        "why": [("gateway", "Recommend", "client", 1, "limit", 2, 2)] * 3,
        "spans": ["OK"] * 2 + ["UNAVAILABLE"] * 3,
        "feedback": 2,
        "off again": (["OK"] * N, 0),
    },
    at_the_model: {
        "fallbacks": ["none"] + ["retrieval+ranking"] * 4,
        "why": [("model", "EncodeUser", "retrieval", "limit"), ("model", "Score", "ranking", "limit")],
        "each once": True,
    },
}


async def _all(side):
    return {case: await case(side) for case in EXPECTED}


@pytest.fixture(scope="module")
def on_live(tmp_path_factory: pytest.TempPathFactory) -> dict:
    async def play():
        async with live(tmp_path_factory.mktemp("live")) as side:
            side.run.save()
            return await _all(LiveSide(side))

    return asyncio.run(play())


@pytest.fixture(scope="module")
def on_virtual(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return asyncio.run(_all(VirtualSide(Virtual(tmp_path_factory.mktemp("virtual") / "run"))))


class LiveSide:
    """What the side offers, with operations on it and bursts of which not all are answered. late_s: longer than all
    need to come."""

    late_s = 3.0  # on a busy machine

    def __init__(self, side):
        self._side = side

    def __getattr__(self, name):
        return getattr(self._side, name)

    async def operate(self, do):
        await asyncio.to_thread(do, Operations(self._side.run))

    async def burst(self, n, answered):
        outcomes = await self._side.try_asking(n)
        assert outcomes.count("OK") == answered


class VirtualSide(LiveSide):
    late_s = 0.4

    async def operate(self, do):
        do(self._side.stack.operations)

    async def burst(self, n, answered):
        stack, place = self._side.stack, (np.full(n, self._side.user), np.arange(n) + 71, np.ones(n, np.int64))
        for session, noise in zip(place[1].tolist(), dice(1, "request", *place), strict=True):
            stack.loop.spawn(stack.clients.ask_once(self._side.user, session, noise))
        self._side._advance(5.0)


@pytest.mark.parametrize("backend", ["on_live", "on_virtual"])
@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case.__name__)
def test_both_backends_turn_the_same_calls_away(request, backend, case):
    assert request.getfixturevalue(backend)[case] == EXPECTED[case]
