"""The circuit breaker of a live edge, with a real gRPC server on loopback; and that a virtual edge makes the
same of the same outcomes."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from itertools import repeat
from typing import Any

import pytest

from sandbox.base.config import Breaker, Config, Edge, GatewayConfig
from sandbox.base.errors import SandboxError
from sandbox.virtual.machine.fabric import CallError, Fabric
from sandbox.virtual.machine.fabric import Context as VirtualContext
from sandbox.virtual.machine.loop import Loop, World
from sandbox.virtual.machine.timing import Timing, Work
from services.proto.recsys.v1 import rules_pb2_grpc
from services.skeleton.context import CURRENT, Context
from tests.services.harness import free_addresses, rows
from tests.services.test_gateway_service import around
from tests.services.test_skeleton import ask, stack
from tests.services.waiting import until

FOUR = Breaker(failed_share=0.5, least_calls=4, window_s=60, open_s=600, trial_calls=2)
BRIEF = FOUR.model_copy(update={"open_s": 0.2})
LATE = 3_000  # the server takes so long, ms


def edge(breaker: Breaker | None = FOUR, **changes) -> Edge:
    return Edge(**{"deadline_ms": 60, "breaker": breaker, **changes})


async def outcome(callee, request, wanted: Edge) -> str:
    try:
        await callee.call("Apply", request, wanted)
    except SandboxError as error:
        return error.kind.code
    return "OK"


async def let_through(callee, request, wanted: Edge) -> Any:
    """The answer to the first call that the breaker lets through."""
    while True:
        try:
            return await callee.call("Apply", request, wanted)
        except SandboxError as error:
            if error.kind.code != "WIRE-008":
                raise
            await asyncio.sleep(0.005)


def logged(host) -> list[tuple[str, dict]]:
    """Lines about breakers: text and fields."""
    lines = [(row[4], json.loads(row[5])) for row in rows(host, "logs")]
    return [line for line in lines if line[0].startswith("circuit breaker")]


async def test_a_callee_beyond_its_deadline_is_left_alone_and_taken_back_when_it_is_well(tmp_path):
    async with stack(tmp_path) as (servicer, callee, caller, *_):
        seen = [await outcome(callee, ask(LATE), edge(BRIEF)) for _ in range(5)]
        reached = servicer.calls
        async with asyncio.timeout(5):
            await let_through(callee, ask(1), edge(BRIEF, deadline_ms=2_000))
        after = [await outcome(callee, ask(1), edge(BRIEF, deadline_ms=2_000)) for _ in range(4)]

    assert seen == ["WIRE-004"] * 4 + ["WIRE-008"]
    assert reached == 4
    assert after == ["OK"] * 4
    assert logged(caller) == [
        ("circuit breaker opened", {"callee": "rules", "path": "a", "calls": 4, "failed": 4, "open_s": 0.2}),
        ("circuit breaker half-open", {"callee": "rules", "path": "a", "trial_calls": 2}),
        ("circuit breaker closed", {"callee": "rules", "path": "a"}),
    ]


async def test_calls_that_fail_at_once_show_in_spans_and_in_the_edges_figures(tmp_path):
    async with stack(tmp_path) as (_, callee, caller, *_rest):
        for _ in range(4):
            await outcome(callee, ask(LATE), edge())
        callee.sample(1.0)
        for _ in range(10):
            await outcome(callee, ask(1), edge())
        callee.sample(1.0)
        spans = [row for row in rows(caller, "spans") if row[7] == "client"]
        before, during = rows(caller, "rpc_edges")

    assert [row[11] for row in spans] == ["DEADLINE_EXCEEDED"] * 4 + ["UNAVAILABLE"] * 10
    # per second, share failed, median in milliseconds, state of the channel
    assert (before[5], before[6], before[11]) == (4.0, 1.0, "READY")
    assert (during[5], during[6], during[11]) == (10.0, 1.0, "READY")
    assert before[7] >= 60 > during[7]


async def test_the_attempt_that_opens_it_is_the_last_of_its_call(tmp_path):
    async with stack(tmp_path) as (_, _callee, caller, *_rest):
        caller.run = replace(caller.run, addresses=free_addresses(tmp_path, attempt=1)[0])
        nobody = caller.callee("model", rules_pb2_grpc.RulesStub)
        wanted = edge(deadline_ms=2_000, attempts=3)
        seen = [await outcome(nobody, ask(1), wanted) for _ in range(3)]
        attempts = [(row[12], row[11]) for row in rows(caller, "spans") if row[7] == "client"]
        await nobody.close()

    assert seen == ["WIRE-005", "WIRE-008", "WIRE-008"]
    assert attempts == [(1, "UNAVAILABLE"), (2, "UNAVAILABLE"), (3, "UNAVAILABLE"),
                        (1, "UNAVAILABLE"), (2, "UNAVAILABLE"), (1, "UNAVAILABLE")]  # fmt: skip


async def test_each_path_has_its_own(tmp_path):
    async with stack(tmp_path) as (_, callee, *_rest):
        for _ in range(4):
            await outcome(callee, ask(LATE), edge())

        assert await outcome(callee, ask(1), edge()) == "WIRE-008"
        assert await outcome(callee, ask(1), edge(path="b", deadline_ms=2_000)) == "OK"


async def test_other_settings_begin_a_closed_one_and_the_same_settings_read_anew_do_not(tmp_path):
    async with stack(tmp_path) as (_, callee, *_rest):
        for _ in range(4):
            await outcome(callee, ask(LATE), edge())

        assert await outcome(callee, ask(1), edge(FOUR.model_copy())) == "WIRE-008"
        eased = FOUR.model_copy(update={"least_calls": 50})
        assert await outcome(callee, ask(1), edge(eased, deadline_ms=2_000)) == "OK"
        assert await outcome(callee, ask(1), edge(None, deadline_ms=2_000)) == "OK"


async def test_a_trial_call_whose_caller_goes_away_gives_its_place_back(tmp_path):
    once = BRIEF.model_copy(update={"open_s": 0.1, "trial_calls": 1})
    async with stack(tmp_path) as (servicer, callee, *_):
        for _ in range(4):
            await outcome(callee, ask(LATE), edge(once))
        trial = asyncio.create_task(let_through(callee, ask(LATE), edge(once, deadline_ms=5_000)))
        await until(lambda: servicer.calls == 5)
        assert await outcome(callee, ask(1), edge(once)) == "WIRE-008"
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trial

        assert await outcome(callee, ask(1), edge(once, deadline_ms=2_000)) == "OK"


async def test_the_gateways_stand_in_answers_at_once_while_it_is_open(tmp_path):
    config = Config(gateway=GatewayConfig(rules=edge(deadline_ms=150)))
    async with around(tmp_path, config) as on:
        on.rules.mode = "slow"
        for _ in range(4):
            await on.ask()
        n, took = len(on.rules.requests), on.recorded()["rules_ms"]
        answer = await on.ask()
        record = on.recorded()
        codes = [json.loads(r[5])["code"] for r in rows(on.hosts["gateway"], "logs") if "fell" in r[4]]

    assert answer.degraded
    assert answer.items
    assert record["fallback"] == "rules"
    assert record["rules_ms"] < 75 < took
    assert len(on.rules.requests) == n == 4
    assert codes == ["WIRE-004"] * 4 + ["WIRE-008"]


# -- live and virtual --------------------------------------------------------------------------------

STORY = (  # what the callee does, and what both callers must see
    ("well", "OK"),
    ("refuses", "WIRE-002"),  # an answer like any other
    ("crashes", "WIRE-006"),
    ("nothing left", "WIRE-004"),  # never sent: says nothing of the callee
    ("late", "WIRE-004"),
    ("late", "WIRE-004"),
    ("well", "OK"),
    ("late", "WIRE-004"),  # three of seven
    ("well", "OK"),
    ("late", "WIRE-004"),
    ("late", "WIRE-004"),  # five of ten
    ("well", "WIRE-008"),
    ("late", "WIRE-008"),
    ("nothing left", "WIRE-004"),
)
SIX = FOUR.model_copy(update={"least_calls": 6})


async def live_story(tmp_path) -> tuple[list[str], list[tuple[str, dict]]]:
    does = {"well": ask(1), "refuses": ask(0), "crashes": ask(1, user=-1), "late": ask(LATE)}
    async with stack(tmp_path) as (_, callee, caller, *_rest):
        seen = []
        for what, _ in STORY:
            if what == "nothing left":
                CURRENT.set(Context("0" * 32, "0" * 16, None, "client", deadline=time.perf_counter()))
            wanted = edge(SIX, deadline_ms=60 if what == "late" else 2_000)
            seen.append(await outcome(callee, does.get(what, ask(1)), wanted))
            CURRENT.set(None)
    return seen, logged(caller)


def virtual_story() -> tuple[list[str], list[tuple[str, dict]]]:
    loop, lines, seen = Loop(), [], []
    still = Work(base_ms=1.0, sigma=0.0)
    timing = Timing(work={}, wire={"gateway->rules": still}, store=still, client_share=0.0)

    def record(_service, table, row):
        if table == "logs":
            lines.append((row[4], json.loads(row[5])))

    fabric = Fabric(("gateway", "rules"), loop, World(loop, 0.0, 60.0), timing, record)

    async def handler(what: str) -> None:
        await loop.sleep_until(loop.now + (LATE if what == "late" else 1) / 1000)
        if what in ("refuses", "crashes"):
            raise CallError("WIRE-002" if what == "refuses" else "WIRE-006")

    async def call(what: str) -> None:
        until = loop.now if what == "nothing left" else float("inf")
        context = VirtualContext("t", "s", None, "client", 1, 1, 1, 0, False, until, repeat((0.0, 1.0)))
        wanted = edge(SIX, deadline_ms=60 if what == "late" else 2_000)
        try:
            await fabric.call("gateway", "rules", "Apply", wanted, context, lambda _: handler(what))
            seen.append("OK")
        except CallError as failure:
            seen.append(failure.code)

    for what, _ in STORY:
        loop.spawn(call(what))
        loop.run_until(loop.now + 1.0)
    return seen, lines


async def test_live_and_virtual_make_the_same_of_the_same_outcomes(tmp_path):
    live, virtual = await live_story(tmp_path), virtual_story()

    assert live[0] == virtual[0] == [code for _, code in STORY]
    opened = {"callee": "rules", "path": "a", "calls": 10, "failed": 5, "open_s": 600.0}
    assert live[1] == virtual[1] == [("circuit breaker opened", opened)]
