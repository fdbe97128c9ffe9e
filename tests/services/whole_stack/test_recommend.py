"""A slate through all the processes of a real stack, as `sandbox recommend` asks for it."""

from __future__ import annotations

import json
import os
import signal
import time

import grpc
import pyarrow.parquet as pq
import pytest
import redis

from sandbox.base.features import USER_SEEN, USER_SESSION, key, unpack_many
from sandbox.cli.app import main
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack
FIELDS = {"item_id", "position", "title", "sources", "score", "rules"}


@pytest.fixture
def recommend(stack, capsys):
    """Runs the command: exit code, and the JSON document of stdout, or of stderr after a failure."""

    def run(*arguments):
        with pytest.raises(SystemExit) as done:
            main(["recommend", "--run-dir", str(stack.run_dir), *map(str, arguments), "--json"])
        printed = capsys.readouterr()
        assert (printed.out == "") == bool(done.value.code)
        return done.value.code, json.loads(printed.err if done.value.code else printed.out)

    return run


@pytest.fixture(scope="module")
def gateway(stack):
    with grpc.insecure_channel(stack.run.addresses["gateway"]) as channel:
        yield gateway_pb2_grpc.RecommenderStub(channel)


def test_a_slate_has_titles_sources_and_versions(recommend):
    # A channel that was tried before its callee listened finds it within its back-off.
    def in_full():
        code, slate = recommend("--user", 42, "--k", 5)
        return None if slate["degraded"] else (code, slate)

    code, slate = wait_for(in_full, 5, "an answer in full")
    assert code == 0
    assert slate["user_id"] == 42
    assert not slate["degraded"]
    assert (slate["model_version"], slate["index_version"]) == ("rk-1", "ix-1")
    assert [item["position"] for item in slate["items"]] == [1, 2, 3, 4, 5]
    for item in slate["items"]:
        assert item.keys() >= FIELDS
        assert item["title"]
        assert item["sources"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--user", 42, "--k", 0), "WIRE-002"),
        (("--user", 42, "--k", -1), "WIRE-002"),
        (("--user", 42, "--k", 10_000), "WIRE-002"),
        (("--user", 10**6), "WIRE-003"),
        (("--user", 10**30), "WIRE-002"),
        (("--user-key", "nobody at all"), "WIRE-003"),
        ((), "CFG-004"),
        (("--user", 1, "--user-key", "x"), "CFG-004"),
    ],
)
def test_bad_input_is_refused_by_code(recommend, arguments, code):
    status, error = recommend(*arguments)
    assert status == 2
    assert error["code"] == code
    assert error["fix"]


def test_a_user_is_found_by_the_key_of_the_source(stack, recommend):
    users = pq.read_table(f"{stack.run.world_dir}/public/users.parquet", columns=["user_id", "key"])
    row = users.slice(7, 1).to_pylist()[0]
    code, slate = recommend("--user-key", row["key"], "--k", 1)
    assert code == 0
    assert slate["user_id"] == row["user_id"]


def test_the_session_row_and_the_seen_list_follow_a_click(stack, gateway):
    user = 17
    asked = gateway_pb2.RecommendRequest(user_id=user, k=5, session_id="4711")
    shown = [item.item_id for item in gateway.Recommend(asked, timeout=5).items]
    click = gateway_pb2.Feedback(event_id="c-1", session_id="4711", user_id=user, item_id=shown[0], kind="click")
    assert gateway.LogFeedback(gateway_pb2.LogFeedbackRequest(events=[click]), timeout=5).accepted == 1
    with redis.Redis(unix_socket_path=stack.run.redis) as store:

        def row(view):
            return unpack_many(view, [store.get(key(view, user))], -1e300).values[0]

        def followed():
            known = {*row(USER_SEEN).astype(int)}
            return row(USER_SESSION)[3] == shown[0] and {*shown} <= known

        wait_for(followed, 10, "the stream processor's rows")
    again = gateway_pb2.RecommendRequest(user_id=user, k=5, session_id="4711", depth=2)
    assert not {item.item_id for item in gateway.Recommend(again, timeout=5).items} & {*shown}


@pytest.mark.parametrize(
    ("service", "fell"), [("model", {"retrieval", "ranking"}), ("redis", {"features", "ranking"}), ("rules", {"rules"})]
)
def test_a_process_that_hangs_is_stood_in_for_in_time(stack, gateway, service, fell):
    pid = next(row["pid"] for row in stack.status()["services"] if row["name"] == service)
    asked = gateway_pb2.RecommendRequest(user_id=42, k=5)
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = gateway.Recommend(asked, timeout=5)
        took_s = time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGCONT)
    assert took_s < 1.0
    assert answer.degraded
    assert set(answer.fallbacks) == fell
    assert len(answer.items) == 5
    wait_for(lambda: not gateway.Recommend(asked, timeout=5).degraded, 20, "an answer in full")


def test_a_gateway_that_is_gone_is_an_error_of_the_stack(stack, recommend):
    run = stack.run
    lost = json.loads((stack.run_dir / "run.json").read_text())
    lost["addresses"]["gateway"] = "127.0.0.1:1"
    (stack.run_dir / "run.json").write_text(json.dumps(lost))
    try:
        code, error = recommend("--user", 1)
    finally:
        run.save()
    assert (code, error["code"]) == (3, "WIRE-005")
