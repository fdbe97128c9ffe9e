"""Instances of a service on a running stack: they come, take their part, die, and go again."""

from __future__ import annotations

import json
import os
import signal

import pytest

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.instances import process_of
from sandbox.base.run import ENDPOINTS, RunInfo, load_services
from sandbox.runtime import slates
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations
from tests.services.asking import query
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack


def act(stack, words):
    return Action.parse(words.split()).run(Operations(stack.run), "operator")


def there(stack, service="rules"):
    return [row["instance"] for row in stack.status()["services"] if row["name"] == service]


def callable_now(stack, service="rules"):
    return sorted(json.loads((stack.run_dir / ENDPOINTS).read_text())[service])


def process(stack, instance):
    return next(info for info in load_services(stack.run_dir) if info.instance == instance)


def ask(stack, n):
    """n requests, one after the other. Whether a fallback answered, for each."""
    return [slates.ask(stack.run, user, 5).degraded for user in range(n)]


@pytest.fixture
def scaled(stack):
    """The shared stack with two instances of rules; with one again afterwards."""
    record = act(stack, "scale service=rules n=2")
    yield stack
    act(stack, f"revert change={record.n}")
    assert there(stack) == ["rules-0"]
    assert callable_now(stack) == ["rules-0"]
    assert list(RunInfo.load(stack.run_dir).instances("rules")) == ["rules-0"]


def test_a_further_instance_takes_its_part_and_telemetry_knows_it(scaled):
    assert there(scaled) == ["rules-0", "rules-1"]
    assert callable_now(scaled) == ["rules-0", "rules-1"]
    assert Config.load(scaled.run.path).rules.replicas == 2

    def both_served():
        ask(scaled, 4)
        sql = "SELECT DISTINCT instance FROM spans WHERE kind = 'server' AND op = 'Apply' ORDER BY 1"
        return query(scaled.run.lake, sql).rows == [["rules-0"], ["rules-1"]]

    wait_for(both_served, 15, "calls to both instances")
    for table in ("procs", "process_events", "logs"):
        sql = f"SELECT count(*) FROM {table} WHERE instance = 'rules-1'"
        wait_for(lambda sql=sql: query(scaled.run.lake, sql).rows[0][0], 6, f"rules-1 in {table}")


def test_one_that_is_killed_comes_back_and_no_request_is_lost(scaled):
    ask(scaled, 10)
    killed = process(scaled, "rules-1").pid
    os.kill(killed, signal.SIGKILL)

    assert ask(scaled, 30) == [False] * 30
    wait_for(
        lambda: process(scaled, "rules-1").restarts and callable_now(scaled) == ["rules-0", "rules-1"], 20, "rules-1"
    )
    assert process(scaled, "rules-1").pid != killed


@pytest.mark.slow
def test_one_that_hangs_is_called_no_more_and_nothing_waits_for_it(scaled):
    hung = process(scaled, "rules-1").pid
    os.kill(hung, signal.SIGSTOP)
    try:
        wait_for(lambda: callable_now(scaled) == ["rules-0"], 20, "the word that rules-1 does not answer")
        wait_for(lambda: not any(ask(scaled, 6)), 20, "requests that do not wait for rules-1")
    finally:
        os.kill(hung, signal.SIGCONT)
    wait_for(lambda: callable_now(scaled) == ["rules-0", "rules-1"], 20, "rules-1 to be called again")


def armed(stack, instance):
    return control.ask(Endpoint.of(RunInfo.load(stack.run_dir), process_of(instance)), "list")["ids"]


def test_a_fault_is_armed_in_all_instances_and_in_those_that_come_later(stack):
    stack.arm("ranking", {"id": "f", "fault": "rpc-edge-latency", "params": {"delay_ms": 1}})
    record = act(stack, "scale service=ranking n=2")
    try:
        assert armed(stack, "ranking-0") == armed(stack, "ranking-1") == ["f"]
        assert stack.disarm("ranking", "f")
        assert armed(stack, "ranking-0") == armed(stack, "ranking-1") == []
        assert not stack.disarm("ranking", "f")
    finally:
        act(stack, f"revert change={record.n}")


def test_a_service_restarts_one_instance_after_the_other(scaled):
    before = {name: process(scaled, name).pid for name in there(scaled)}
    act(scaled, "restart service=rules")
    after = {name: process(scaled, name).pid for name in there(scaled)}

    assert set(before.values()).isdisjoint(after.values())
    assert not any(ask(scaled, 6))


def test_one_instance_restarts_by_its_own_name(scaled):
    first, second = (process(scaled, name).pid for name in ("rules-0", "rules-1"))
    act(scaled, "restart service=rules-1")

    assert process(scaled, "rules-0").pid == first
    assert process(scaled, "rules-1").pid != second


@pytest.mark.parametrize("name", ["rules-1", "rules-9", "gateway-2"])
def test_an_instance_that_there_is_not_is_named_in_the_error(stack, name):
    with pytest.raises(SandboxError) as caught:
        stack.restart(name)

    assert caught.value.kind.code == "RUN-007"
    assert name in str(caught.value)


def test_one_that_cannot_start_leaves_the_stack_as_it_was(stack):
    before = there(stack)
    config = Config.load(stack.run.path)
    with pytest.raises(SandboxError) as caught:
        Operations(stack.run).apply(
            {"model": {"replicas": 2, "ranker": "rk-404"}}, actor="operator", op="x", arguments={}, target="model",
            key="replicas", new="2",
        )  # fmt: skip

    assert caught.value.kind.code == "MODEL-001"
    assert there(stack, "model") == ["model-0"]
    assert there(stack) == before
    now = Config.load(stack.run.path)
    assert (now.model.replicas, now.model.ranker) == (1, config.model.ranker)
    assert stack.status()["ready"]
