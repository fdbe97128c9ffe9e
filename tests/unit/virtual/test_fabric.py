"""Queues, deadlines and retries come out of the model: a starved pool and a slow edge look different."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np
import pytest

from sandbox.base.config import Edge
from sandbox.base.errors import SandboxError
from sandbox.virtual.machine import timing as timings
from sandbox.virtual.machine.fabric import CallError, Context, Dice, Fabric, dice
from sandbox.virtual.machine.loop import Loop, Signal, World
from sandbox.virtual.machine.timing import Timing, Work
from services.proto.recsys.v1 import features_pb2
from services.skeleton.seams import Call, Proceed

STILL: Dice = repeat((0.0, 1.0))  # no noise, no tails
NAMES = ("gateway", "ranking", "features", "model")


def timing(**changes: Any) -> Timing:
    plain = Work(base_ms=1.0, sigma=0.0)
    return Timing(
        work={"features.GetUser": Work(base_ms=10.0, sigma=0.0), "features.GetItems": plain},
        wire={"gateway->features": plain, "ranking->features": plain},
        store=plain,
        client_share=0.0,
        **{"cores": 8, **changes},
    )


class Plain:
    """A method of which nothing is said but its name."""

    callee, op = "features", "GetUser"

    def request(self) -> Any:
        return features_pb2.GetUserRequest(user_id=1)

    def handler(self, request: Any) -> Any:
        async def handle(_: Context) -> str:
            return f"rows of {request.user_id}"

        return handle

    def answer(self, value: Any) -> Any:
        return features_pb2.GetUserResponse(rows=[features_pb2.PackedRows(view=value)])

    def value(self, answer: Any) -> Any:
        return answer.rows[0].view


class Bench:
    """Two callers of one callee, whose every call is a burst of 10 ms."""

    def __init__(self, **changes: Any) -> None:
        self.loop = Loop()
        self.rows: list[tuple[str, str, tuple[Any, ...]]] = []
        self.fabric = Fabric(
            NAMES, self.loop, World(self.loop, 0.0, 60.0), timing(**changes), lambda *row: self.rows.append(row)
        )
        self.ended: list[tuple[str, str, float]] = []
        self.answer: Any = None

    def call(self, caller: str, edge: Edge, until: float = 100.0) -> None:
        context = Context("t", "s", None, caller, 1, 1, 1, 0, False, until, STILL)

        async def handler(inner: Context) -> str:
            await self.fabric.work("features.GetUser", inner)
            return "rows"

        async def run() -> None:
            try:
                self.answer = await self.fabric.call(caller, "features", "GetUser", edge, context, handler, wire=Plain)
                status = "OK"
            except CallError as failure:
                status = failure.code
            self.ended.append((caller, status, round(self.loop.now * 1000, 3)))

        self.loop.spawn(run())

    def durations(self, kind: str, service: str) -> list[float]:
        return [round(r[9], 3) for s, t, r in self.rows if t == "spans" and r[7] == kind and s == service]


def test_a_call_takes_the_wire_and_the_work() -> None:
    bench = Bench()
    bench.call("gateway", Edge(deadline_ms=100))
    bench.loop.run_until(1.0)
    assert bench.ended == [("gateway", "OK", 11.0)]
    assert bench.durations("server", "features") == [10.0]
    assert bench.durations("client", "gateway") == [11.0]


def test_callers_share_the_callees_queue() -> None:
    bench = Bench()
    for caller in ("gateway", "ranking", "gateway"):
        bench.call(caller, Edge(deadline_ms=200))
    bench.loop.run_until(1.0)
    assert [ms for *_, ms in bench.ended] == [11.0, 21.0, 31.0]
    assert bench.durations("server", "features") == [10.0, 20.0, 30.0]


def test_a_slow_edge_hurts_one_caller_and_never_shows_on_the_callee() -> None:
    bench = Bench()

    class Delay:
        async def around(self, call: Call, proceed: Proceed) -> Any:
            await bench.loop.sleep_until(bench.loop.now + 0.04)
            return await proceed(call)

        def around_sync(self, call: Call, proceed: Any) -> Any:
            return proceed(call)

    bench.fabric.seams["gateway"].rpc.put(Delay())
    bench.call("gateway", Edge(deadline_ms=200))
    bench.loop.run_until(0.2)
    bench.call("ranking", Edge(deadline_ms=200))
    bench.loop.run_until(1.0)
    assert bench.durations("client", "gateway") == [51.0]
    assert bench.durations("client", "ranking") == [11.0]
    assert bench.durations("server", "features") == [10.0, 10.0]


def test_who_waits_too_long_gives_up_while_the_callee_finishes_its_burst() -> None:
    bench = Bench()
    bench.call("gateway", Edge(deadline_ms=5))
    bench.loop.run_until(0.006)
    assert bench.ended == [("gateway", "WIRE-004", 5.0)]
    bench.loop.run_until(1.0)
    statuses = [r[11] for _, t, r in bench.rows if t == "spans"]
    assert statuses == ["DEADLINE_EXCEEDED", "CANCELLED"]
    assert bench.fabric.processes["features"].busy_s == pytest.approx(0.010)


def test_a_full_pool_shows_as_queue_time_on_the_server() -> None:
    bench = Bench(pool=1)
    for _ in range(3):
        bench.call("gateway", Edge(deadline_ms=200))
    bench.loop.run_until(1.0)
    queued = [round(r[10], 3) for _, t, r in bench.rows if t == "spans" and r[7] == "server"]
    assert queued == [0.0, 10.0, 20.0]


def test_processes_share_the_cores() -> None:
    one, two = Bench(cores=1), Bench(cores=2)
    for bench in (one, two):
        for process in ("gateway", "ranking"):
            bench.loop.spawn(bench.fabric.burst(bench.fabric.processes[process], 0.01))
        bench.loop.spawn(_note_end(bench, "features"))
        bench.loop.run_until(1.0)
    assert one.ended == [("features", "", 30.0)]
    assert two.ended == [("features", "", 20.0)]


def test_a_core_goes_to_whoever_came_first() -> None:
    bench = Bench(cores=1)
    for process in ("model", "ranking", "gateway", "model"):
        bench.loop.spawn(_note_end(bench, process))
    bench.loop.run_until(1.0)
    assert bench.ended == [("model", "", 10.0), ("ranking", "", 20.0), ("gateway", "", 30.0), ("model", "", 40.0)]


def test_work_that_takes_no_time_waits_for_its_turn_and_for_nothing_else() -> None:
    bench = Bench()

    async def nothing(process: str) -> None:
        await bench.fabric.burst(bench.fabric.processes[process], 0.0)
        bench.ended.append((process, "nothing", round(bench.loop.now * 1000, 3)))

    bench.loop.spawn(_note_end(bench, "model"))
    for process in ("model", "ranking"):
        bench.loop.spawn(nothing(process))
    bench.loop.run_until(1.0)
    assert bench.ended == [("ranking", "nothing", 0.0), ("model", "", 10.0), ("model", "nothing", 10.0)]


def test_where_nobody_records_calls_run_the_same_and_nothing_piles_up() -> None:
    recorded, quiet = Bench(), Bench()
    quiet.fabric.record = None
    for bench in (recorded, quiet):
        for until in (100.0, 0.015):
            bench.call("gateway", Edge(deadline_ms=100), until)
        bench.loop.run_until(1.0)
    assert quiet.ended == recorded.ended
    assert quiet.fabric.tallies["gateway", "features", "a"].durations_ms == []
    assert len(recorded.fabric.tallies["gateway", "features", "a"].durations_ms) == 2


async def _note_end(bench: Bench, process: str) -> None:
    await bench.fabric.burst(bench.fabric.processes[process], 0.01)
    bench.ended.append((process, "", round(bench.loop.now * 1000, 3)))


def test_a_process_that_is_down_is_tried_again_and_then_refuses() -> None:
    bench = Bench()
    bench.fabric.processes["features"].down_until = 5.0
    bench.call("gateway", Edge(deadline_ms=100, attempts=3))
    bench.loop.run_until(1.0)
    assert [status for _, status, _ in bench.ended] == ["WIRE-005"]
    attempts = [r[12] for _, t, r in bench.rows if t == "spans" and r[7] == "client"]
    assert attempts == [1, 2, 3]
    assert bench.fabric.tallies["gateway", "features", "a"].retries == 2


def test_noise_belongs_to_its_place() -> None:
    users, sessions, depths = np.array([3, 8, 5]), np.array([1, 1, 2]), np.array([1, 4, 1])
    together = dice(7, "request", users, sessions, depths)
    alone = dice(7, "request", users[1:2], sessions[1:2], depths[1:2])[0]
    assert [next(together[1]) for _ in range(5)] == [next(alone) for _ in range(5)]


def test_the_committed_timing_names_every_operation_that_the_model_asks_for() -> None:
    shipped = timings.load()
    assert {"gateway.Recommend", "features.GetUser", "features.GetItems", "retrieval.Retrieve", "model.EncodeUser",
            "model.Score", "model.forward", "ranking.Rank", "rules.Apply"} <= set(shipped.work)  # fmt: skip
    assert "gateway->features" in shipped.wire
    assert "ranking->features" in shipped.wire


class Around:
    """A wrapper made of a function."""

    def __init__(self, around: Any) -> None:
        self.around = around


def wrapped(around: Any) -> Bench:
    bench = Bench()
    bench.fabric.seams["gateway"].rpc.put(Around(around))
    bench.call("gateway", Edge(deadline_ms=200))
    bench.loop.run_until(1.0)
    return bench


def test_a_wrapper_changes_the_request_as_a_message() -> None:
    async def another_user(call: Call, proceed: Proceed) -> Any:
        call.payload.user_id = 7
        return await proceed(call)

    assert wrapped(another_user).answer == "rows of 7"


def test_a_wrapper_changes_the_answer_as_a_message() -> None:
    async def other_rows(call: Call, proceed: Proceed) -> Any:
        answer = await proceed(call)
        answer.rows[0].view += " and more"
        return answer

    assert wrapped(other_rows).answer == "rows and more"


def test_who_only_looks_changes_nothing() -> None:
    async def curious(call: Call, proceed: Proceed) -> Any:
        assert call.payload.user_id == 1
        answer = await proceed(replace(call, path="b"))
        assert isinstance(answer, features_pb2.GetUserResponse)
        assert deepcopy(answer) == answer
        return answer

    bench = wrapped(curious)
    assert bench.answer == "rows"
    assert bench.ended == [("gateway", "OK", 11.0)]


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (SandboxError("STORE-001", where="", seen="", expected="", fix=""), "STORE-001"),
        (TimeoutError(), "WIRE-004"),
        (ZeroDivisionError(), "WIRE-006"),
    ],
)
def test_what_a_wrapper_raises_fails_the_call_and_nothing_else(raised: Exception, code: str) -> None:
    async def failing(call: Call, proceed: Proceed) -> Any:
        raise raised

    assert [ended[1] for ended in wrapped(failing).ended] == [code]


@pytest.mark.parametrize("nonsense", [None, "soup", features_pb2.GetItemsResponse()])
def test_an_answer_of_another_kind_fails_the_call(nonsense: Any) -> None:
    async def senseless(call: Call, proceed: Proceed) -> Any:
        return nonsense

    assert [ended[1] for ended in wrapped(senseless).ended] == ["WIRE-006"]


def test_a_wrapper_that_never_answers_holds_the_call_until_its_deadline() -> None:
    async def hanging(call: Call, proceed: Proceed) -> Any:
        await bench.loop.wait(Signal())

    bench = Bench()
    bench.fabric.seams["gateway"].rpc.put(Around(hanging))
    bench.call("gateway", Edge(deadline_ms=200))
    bench.loop.run_until(1.0)
    assert bench.ended == [("gateway", "WIRE-004", 200.0)]
