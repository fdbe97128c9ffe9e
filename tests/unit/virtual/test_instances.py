"""Several instances of a service on the virtual backend: each with a queue of its own, all on the same cores."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sandbox.base.config import Config, Edge
from sandbox.base.errors import SandboxError
from sandbox.runtime.operate.actions import Action
from sandbox.telemetry.hash import lake_hash
from sandbox.telemetry.lake import connect
from sandbox.virtual.machine.fabric import CallError, Context, Fabric
from sandbox.virtual.machine.loop import Loop, World
from sandbox.virtual.stack import VirtualStack
from tests.unit.virtual.test_fabric import STILL, Plain, timing

MINUTE = 60.0


class Pair:
    """A caller of a service with two instances, whose every call is a burst of 10 ms."""

    def __init__(self, policy: str = "round_robin", **changes: Any) -> None:
        self.loop, self.rows = Loop(), list[tuple[str, str, tuple[Any, ...]]]()
        self.fabric = Fabric(
            ("gateway", "features", "features-1"), self.loop, World(self.loop, 0.0, 60.0), timing(**changes),
            lambda *row: self.rows.append(row),
        )  # fmt: skip
        self.fabric.instances.balancing = lambda _: policy
        self.ended: list[tuple[str, float]] = []

    def call(self, n: int = 1, **edge: Any) -> None:
        for _ in range(n):
            self.loop.spawn(self._call(Edge(deadline_ms=1_000, **edge)))

    async def _call(self, edge: Edge) -> None:
        context = Context("t", "s", None, "gateway", 1, 1, 1, 0, False, 100.0, STILL)
        try:
            await self.fabric.call("gateway", "features", "GetUser", edge, context, self._handle)
            status = "OK"
        except CallError as failure:
            status = failure.code
        self.ended.append((status, round(self.loop.now * 1000, 3)))

    async def _handle(self, context: Context) -> None:
        await self.fabric.work("features.GetUser", context)

    def process(self, name: str) -> Any:
        return self.fabric.processes[name]

    def served(self) -> Counter[str]:
        return Counter(row[5] for _, table, row in self.rows if table == "spans" and row[7] == "server")


def test_each_has_a_queue_of_its_own() -> None:
    pair = Pair()
    pair.call(4)
    pair.loop.run_until(1.0)

    assert [ms for _, ms in pair.ended] == [11.0, 11.0, 21.0, 21.0]
    assert pair.served() == {"features-0": 2, "features-1": 2}


def test_all_share_the_machines_cores() -> None:
    pair = Pair(cores=1)
    pair.call(4)
    pair.loop.run_until(1.0)

    assert [ms for _, ms in pair.ended] == [11.0, 21.0, 31.0, 41.0]


def test_pick_first_leaves_one_idle_while_calls_queue_at_the_other() -> None:
    pair = Pair("pick_first")
    pair.call(4)
    pair.loop.run_until(1.0)

    assert [ms for _, ms in pair.ended] == [11.0, 21.0, 31.0, 41.0]
    assert pair.served() == {"features-0": 4}
    assert pair.process("features-1").busy_s == 0


@pytest.mark.parametrize("policy", ["round_robin", "pick_first"])
def test_one_that_is_down_is_left_alone_and_called_again_when_it_is_back(policy: str) -> None:
    pair = Pair(policy)
    pair.process("features").down_until = 1.0
    pair.call(4)
    pair.loop.run_until(2.0)
    assert pair.served() == {"features-1": 4}

    pair.call(2)
    pair.loop.run_until(3.0)
    assert pair.served()["features-0"] == (1 if policy == "round_robin" else 0)
    assert {status for status, _ in pair.ended} == {"OK"}


def test_where_all_are_down_calls_fail_at_once() -> None:
    pair = Pair()
    for name in ("features", "features-1"):
        pair.process(name).down_until = 5.0
    pair.call(2, attempts=3)
    pair.loop.run_until(1.0)

    assert [status for status, _ in pair.ended] == ["WIRE-005"] * 2
    retries = {callee: tally.retries for (_, callee, _), tally in pair.fabric.tallies.items()}
    assert retries == {"features": 2, "features-1": 2}


def test_what_one_handles_when_it_is_given_up_it_brings_to_its_end() -> None:
    pair = Pair()
    pair.call(2)
    pair.loop.run_until(0.005)
    pair.fabric.instances.end("features-1")
    pair.call(1)
    pair.loop.run_until(1.0)

    assert pair.served() == {"features-0": 2, "features-1": 1}
    assert {status for status, _ in pair.ended} == {"OK"}


def test_an_edge_can_be_slow_to_one_of_them_only() -> None:
    pair = Pair()
    wrapper = Delaying()
    pair.fabric.seams["gateway"].rpc.put(wrapper)
    for _ in range(2):
        pair.loop.spawn(_through(pair))
    pair.loop.run_until(1.0)

    assert wrapper.seen == ["features-0", "features-1"]


class Delaying:
    """Hears of the instance that a call goes to."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def around(self, call: Any, proceed: Any) -> Any:
        self.seen.append(call.place.instance)
        return await proceed(call)


async def _through(pair: Pair) -> None:
    context = Context("t", "s", None, "gateway", 1, 1, 1, 0, False, 100.0, STILL)
    edge = Edge(deadline_ms=1_000)
    await pair.fabric.call("gateway", "features", "GetUser", edge, context, pair._handle, wire=Plain)


# -- a whole stack ---------------------------------------------------------------------------------


def stack(run_dir: Path, telemetry: bool = True, **replicas: int) -> VirtualStack:
    config = Config().with_replicas(replicas)
    return VirtualStack("tiny", run_dir, seed=3, rate_per_s=20.0, config=config, telemetry=telemetry)


def asked(stack: VirtualStack, sql: str) -> list[tuple[Any, ...]]:
    stack.flush()
    with connect(stack.run.lake) as lake:
        return lake.sql(sql).fetchall()


BY_INSTANCE = "SELECT instance, count(*) FROM spans WHERE kind = 'server' AND op = 'Score' GROUP BY 1 ORDER BY 1"


def test_spans_metrics_and_events_know_each_instance(home: Path, tmp_path: Path) -> None:
    made = stack(tmp_path / "run", model=2, ranking=3)
    made.advance(made.began_ts + 8 * MINUTE)

    (zero, n), (one, m) = asked(made, BY_INSTANCE)
    assert (zero, one) == ("model-0", "model-1")
    assert n > 20
    assert abs(n - m) <= 3  # each of three callers begins with the first
    forward = asked(made, "SELECT DISTINCT instance FROM spans WHERE op = 'forward'")
    assert len(forward) == 2
    there = {row[0] for row in asked(made, "SELECT DISTINCT instance FROM procs")}
    assert {"model-0", "model-1", "ranking-0", "ranking-1", "ranking-2", "rules-0"} <= there
    assert "rules-1" not in there
    edges = asked(made, "SELECT DISTINCT callee, instance FROM rpc_edges WHERE callee = 'ranking' ORDER BY 2")
    assert edges == [("ranking", f"ranking-{n}") for n in range(3)]
    events = asked(made, "SELECT DISTINCT instance FROM process_events WHERE service = 'model' ORDER BY 1")
    assert events == [("model-0",), ("model-1",)]
    callers = asked(made, "SELECT count(DISTINCT instance) FROM spans WHERE kind = 'client' AND service = 'ranking'")
    assert callers == [(3,)]


def test_several_instances_give_the_same_bytes_every_time(home: Path, tmp_path: Path) -> None:
    hashes = set()
    for name in ("a", "b"):
        made = stack(tmp_path / name, features=2, model=3)
        made.advance(made.began_ts + 2 * MINUTE)
        made.restart("model")
        made.advance(made.began_ts + 4 * MINUTE)
        made.flush()
        hashes.add(lake_hash(made.run.lake).all)
    assert len(hashes) == 1


def test_a_service_restarts_one_instance_after_the_other_and_nobody_notices(home: Path, tmp_path: Path) -> None:
    made = stack(tmp_path / "run", model=2)
    made.advance(made.began_ts + MINUTE)
    made.restart("model")
    made.advance(made.began_ts + 12 * MINUTE)

    away = asked(made, """
        SELECT instance, min(ts) FILTER (event = 'stopped') AS away, max(ts) FILTER (event = 'ready') AS back
        FROM process_events WHERE service = 'model' GROUP BY 1 ORDER BY 1""")  # fmt: skip
    assert away[0][2] <= away[1][1]
    assert asked(made, "SELECT count(*) FROM requests WHERE degraded") == [(0,)]


def test_one_instance_restarts_by_its_own_name(home: Path, tmp_path: Path) -> None:
    made = stack(tmp_path / "run", model=2)
    made.restart("model-1")
    made.advance(made.began_ts + 5 * MINUTE)

    assert asked(made, "SELECT DISTINCT instance FROM process_events WHERE event = 'stopped'") == [("model-1",)]


@pytest.mark.parametrize("name", ["model-1", "model-7", "gateway-1", "nosuch"])
def test_an_instance_that_there_is_not_is_named_in_the_error(home: Path, tmp_path: Path, name: str) -> None:
    made = stack(tmp_path / "run")
    with pytest.raises(SandboxError) as caught:
        made.restart(name)

    assert caught.value.kind.code == "RUN-007"
    assert name in str(caught.value)


# -- what an operator does -------------------------------------------------------------------------


def act(made: VirtualStack, text: str) -> Any:
    return Action.parse(text.split()).run(made.operations, "operator")


def since(made: VirtualStack, ts: float) -> dict[str, int]:
    """Calls of Score that began since then, by instance."""
    sql = f"SELECT instance, count(*) FROM spans WHERE kind = 'server' AND op = 'Score' AND ts >= to_timestamp({ts})::TIMESTAMP GROUP BY 1"  # fmt: skip
    return dict(asked(made, sql))


def test_a_service_is_scaled_out_and_the_revert_takes_it_back(home: Path, tmp_path: Path) -> None:
    made = stack(tmp_path / "run")
    made.advance(made.began_ts + 2 * MINUTE)
    preview = Action.parse(["scale", "service=model", "n=2"]).preview(made.operations)
    assert preview.summary == "model has 2 instances in place of 1"
    assert preview.reversible
    assert since(made, made.began_ts).keys() == {"model-0"}

    record = act(made, "scale service=model n=2")
    assert (record.target, record.key, record.old, record.new) == ("model", "replicas", "1", "2")
    assert record.effects == ["set service=model field=replicas value=2"]
    made.advance(made.began_ts + 8 * MINUTE)
    grown = made.now()
    made.advance(grown + 4 * MINUTE)
    zero, one = since(made, grown)["model-0"], since(made, grown)["model-1"]
    assert zero > 20
    assert abs(zero - one) <= 2

    act(made, f"revert change={record.n}")
    shrunk = made.now() + 1
    made.advance(shrunk + 4 * MINUTE)
    assert since(made, shrunk).keys() == {"model-0"}
    events = asked(made, "SELECT event FROM process_events WHERE instance = 'model-1' ORDER BY ts")
    assert [event for (event,) in events] == ["started", "ready", "stopped"]
    assert asked(made, "SELECT count(*) FROM requests WHERE degraded") == [(0,)]


def test_the_policy_of_a_caller_pins_its_calls_and_lets_them_go(home: Path, tmp_path: Path) -> None:
    made = stack(tmp_path / "run", model=2)
    record = act(made, "balancing caller=ranking policy=pick_first")
    assert record.effects == ["set service=ranking field=balancing value=pick_first"]
    made.advance(made.began_ts + 4 * MINUTE)
    assert since(made, made.began_ts + 1).keys() == {"model-0"}
    encoded = asked(made, "SELECT DISTINCT instance FROM spans WHERE kind = 'server' AND op = 'EncodeUser'")
    assert len(encoded) == 2  # another caller's calls

    act(made, "balancing caller=ranking policy=round_robin")
    spread = made.now() + 1
    made.advance(spread + 4 * MINUTE)
    assert since(made, spread).keys() == {"model-0", "model-1"}


def test_a_restart_moves_what_is_pinned(home: Path, tmp_path: Path) -> None:
    made = stack(tmp_path / "run", model=2)
    act(made, "balancing caller=ranking policy=pick_first")
    made.advance(made.began_ts + MINUTE)
    act(made, "restart service=model-0")
    made.advance(made.began_ts + 8 * MINUTE)

    assert since(made, made.began_ts + 6 * MINUTE).keys() == {"model-1"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("scale service=gateway n=2", "service"),
        ("scale service=redis n=2", "service"),
        ("scale service=model n=0", "n"),
        ("scale service=model n=5", "n"),
        ("scale service=model n=1.5", "n"),
        ("scale service=model n=many", "n"),
        ("balancing caller=model policy=round_robin", "caller"),
        ("balancing caller=ranking policy=random", "policy"),
        ("restart service=model-1", "service"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_changes(
    home: Path, tmp_path: Path, text: str, where: str
) -> None:
    made = stack(tmp_path / "run", telemetry=False)
    with pytest.raises(SandboxError) as caught:
        Action.parse(text.split()).preview(made.operations)

    assert caught.value.kind.code == "DRILL-007"
    assert f"act {text.split()[0]}, {where}" in str(caught.value)
    assert made.operations.records() == []
