"""One whole stack, and what happens to it: crashes, restarts, orders, a store that dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
import redis

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, key
from sandbox.base.run import PROCESSES, load_services
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import Endpoint
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.stack import Stack
from tests.services.asking import query
from tests.services.waiting import processes_of, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]  # the first test waits for the stack


def rows(stack: Stack, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in query(stack.run.lake, sql).rows]


def service(stack: Stack, name: str) -> dict[str, object]:
    return next(s for s in stack.status()["services"] if s["name"] == name)


def events_of(stack: Stack, name: str) -> list[object]:
    sql = f"select event from process_events where service = '{name}' order by ts"
    return [event for (event,) in rows(stack, sql)]


def recommend(stack: Stack) -> object:
    import grpc

    from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc

    with grpc.insecure_channel(stack.run.addresses["gateway"]) as channel:
        stub = gateway_pb2_grpc.RecommenderStub(channel)
        request = gateway_pb2.RecommendRequest(user_id=3, k=5)
        return stub.Recommend(request, timeout=5, wait_for_ready=True)


def test_status_names_every_process_with_its_pid_and_memory(stack: Stack) -> None:
    status = stack.status()

    assert status["ready"]
    assert status["world"] == "tiny"
    assert {s["name"] for s in status["services"]} == {"supervisor", *PROCESSES}
    for row in status["services"]:
        assert row["healthy"], row
        assert psutil.pid_exists(row["pid"])
        assert row["rss_bytes"] > 1 << 20


def test_the_processes_are_tied_to_the_supervisor_and_lead_their_own_groups(stack: Stack) -> None:
    supervisor = service(stack, "supervisor")["pid"]

    for info in load_services(stack.run_dir):
        assert psutil.Process(info.pid).ppid() == supervisor
        assert os.getpgid(info.pid or 0) == info.pid  # Ctrl-C at the terminal reaches none of them


def test_the_lake_has_the_catalogue_and_the_offline_plane_when_up_returns(stack: Stack) -> None:
    counts = dict(
        rows(
            stack,
            "select 'items', count(*) from items union all select 'users', count(*) from users "
            "union all select 'creators', count(*) from creators "
            "union all select 'ledger', count(distinct user_id) from consent_ledger",
        )
    )

    assert counts["items"] == 400
    assert counts["users"] == counts["ledger"] == 300
    assert counts["creators"] > 0
    assert rows(stack, "select count(*) > 0 from training_rows") == [(True,)]
    versions = rows(stack, "select distinct model_version from train_runs order by 1")
    assert {("rk-1",), ("tt-1",)} <= set(versions), "others are of tests that trained on this stack"


def test_offline_features_are_what_the_store_serves(stack: Stack) -> None:
    client = redis.Redis(**stack.run.redis_kwargs())
    item, offline = rows(stack, "select entity_id, value from offline_features where feature = 'duration_log' limit 1")[
        0
    ]

    row = client.get(key(ITEM_STATS, int(str(item))))

    import numpy as np

    stored = np.frombuffer(row[24:], "<f4")[ITEM_STATS.columns.index("duration_log")]  # type: ignore[index]
    assert stored == pytest.approx(offline, rel=1e-6)


def test_a_killed_service_comes_back_and_the_crash_is_in_the_lake(stack: Stack) -> None:
    before = service(stack, "rules")

    os.kill(int(str(before["pid"])), signal.SIGKILL)

    def came_back() -> bool:
        now = service(stack, "rules")
        return bool(now["healthy"] and now["pid"] != before["pid"])

    wait_for(came_back, what="rules back")
    assert service(stack, "rules")["restarts"] == int(str(before["restarts"])) + 1
    wait_for(lambda: events_of(stack, "rules")[-3:] == ["crashed", "restarted", "ready"], 10)
    crash = "select exit_code from process_events where service = 'rules' and event = 'crashed'"
    assert rows(stack, crash)[-1] == (-signal.SIGKILL,)
    wait_for(lambda: not getattr(recommend(stack), "degraded", True), what="healthy slate")


def test_a_service_that_hangs_is_unhealthy_until_it_answers_again(stack: Stack) -> None:
    pid = int(str(service(stack, "rules")["pid"]))

    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: not service(stack, "rules")["healthy"], 30, "rules unhealthy")
        assert not stack.status()["ready"]
    finally:
        os.kill(pid, signal.SIGCONT)

    wait_for(lambda: stack.status()["ready"], 30, "ready again")
    assert service(stack, "rules")["pid"] == pid
    wait_for(lambda: events_of(stack, "rules")[-2:] == ["unhealthy", "ready"], 10)


def test_a_restart_by_order_drains_first_and_is_no_crash(stack: Stack) -> None:
    before = service(stack, "events")["pid"]

    stack.restart("events")

    assert service(stack, "events")["healthy"]
    assert service(stack, "events")["pid"] != before
    told = "select event, exit_code from process_events where service = 'events' order by ts"
    wait_for(lambda: rows(stack, told)[-1][0] == "ready", 10)
    assert rows(stack, told)[-3:] == [("stopped", 0), ("restarted", None), ("ready", None)]


def test_a_restart_does_not_take_a_wrapper_off(stack: Stack) -> None:
    gateway = Endpoint.of(stack.run, "gateway")
    spec = {"id": "w1", "fault": "rpc-edge-latency", "params": {"delay_ms": 30}}
    assert stack.arm("gateway", spec) == "w1"

    stack.restart("gateway")

    assert control.ask(gateway, "list")["ids"] == ["w1"]
    assert stack.disarm("gateway", "w1")
    assert control.ask(gateway, "list")["ids"] == []
    assert not stack.disarm("gateway", "w1")


def test_nothing_in_the_run_directory_tells_what_is_armed(stack: Stack) -> None:
    spec = {"id": "w2", "fault": "rpc-edge-latency", "params": {"delay_ms": 1}}
    stack.arm("gateway", spec)
    try:
        stack.restart("gateway")
        texts = [p.read_bytes() for p in stack.run_dir.rglob("*") if p.is_file()]
        arguments = "\n".join(processes_of(stack.run_dir))
    finally:
        stack.disarm("gateway", "w2")

    assert not any(b"edge-latency" in text for text in texts)
    assert "edge-latency" not in arguments


@pytest.mark.parametrize(
    ("name", "spec", "code"),
    [
        ("gateway", {"id": "x", "fault": "no-such-fault"}, "FLT-001"),
        ("gateway", {"id": "x", "fault": "rpc-edge-latency", "params": {"delay_ms": -5}}, "FLT-002"),
        ("collector", {"id": "x", "fault": "rpc-edge-latency"}, "FLT-003"),
        ("nobody", {"id": "x", "fault": "rpc-edge-latency"}, "RUN-007"),
    ],
)
def test_what_cannot_be_armed_is_refused_by_code(stack: Stack, name: str, spec: dict[str, object], code: str) -> None:
    with pytest.raises(SandboxError) as refused:
        stack.arm(name, spec)

    assert refused.value.kind.code == code


def test_a_reload_brings_the_document_into_force_and_a_bad_one_changes_nothing(stack: Stack) -> None:
    config = Config.load(stack.run_dir)
    config.version += 1
    config.save(stack.run_dir)
    operations = Operations(stack.run)
    assert operations.reload(["gateway"]) == {"gateway": config.version}

    (stack.run_dir / "config.json").write_text("{")
    with pytest.raises(SandboxError) as refused:
        operations.reload(["gateway"])
    config.save(stack.run_dir)

    assert refused.value.kind.code == "CFG-003"
    assert operations.reload(["gateway"]) == {"gateway": config.version}


def test_a_store_that_died_comes_back_with_its_features(stack: Stack) -> None:
    pid = service(stack, "redis")["pid"]

    os.kill(int(str(pid)), signal.SIGKILL)

    def refilled() -> bool:
        try:
            client = redis.Redis(**stack.run.redis_kwargs())
            return client.get(key(ITEM_STATS, 0)) is not None
        except redis.RedisError:
            return False

    wait_for(refilled, what="features back in the store")
    runs = "select count(distinct run_id) from materialization_runs where status = 'OK'"
    wait_for(lambda: rows(stack, runs)[0][0] >= 2, 10)  # type: ignore[operator]
    wait_for(lambda: stack.status()["ready"], what="ready")
    wait_for(lambda: not getattr(recommend(stack), "degraded", True), what="healthy slate")


def test_a_second_up_on_the_same_directory_is_refused_and_harms_nothing(stack: Stack) -> None:
    with pytest.raises(SandboxError) as refused:
        Stack.up("tiny", run_dir=stack.run_dir)

    assert refused.value.kind.code == "RUN-002"
    assert stack.status()["ready"]


def test_a_control_socket_survives_nonsense(stack: Stack) -> None:
    import socket

    path = stack.run.control_socket("supervisor")
    for line in (b"\n", b"nonsense\n", b"[]\n", b'{"op": 5}\n', b'{"op": "fly"}\n', b"\xff" * 100 + b"\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(line)
            assert b'"ok": false' in client.recv(65536)

    assert control.ask(Endpoint.at(path), "ping")["ready"]
    assert Path(path).stat().st_mode & 0o077 == 0
