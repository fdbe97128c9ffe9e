"""Orders to a process: over a unix socket or a port, with a token there, and with patience that ends."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from contextlib import asynccontextmanager

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.runtime.arming import control
from sandbox.runtime.arming.endpoint import TOKEN, Endpoint, make_token, read_token
from sandbox.runtime.local.ports import LOOPBACK, pick

SECRET = "a" * 64


async def echo(order):
    """An order's fields back, so that what reached the process is seen."""
    return {"got": order}


@asynccontextmanager
async def taking_orders(at, answer=echo, **options):
    server = await control.listen(at, answer, **options)
    try:
        yield
    finally:
        server.close()


@pytest.fixture
def port(tmp_path):
    return Endpoint(f"{LOOPBACK}:{pick(1, tmp_path)[0]}", SECRET)


@pytest.fixture(params=["unix", "tcp"])
def at(request, tmp_path, port):
    return port if request.param == "tcp" else Endpoint.at(tmp_path / "ctl.sock")


async def code_of(at, op="ping", **options):
    with pytest.raises(SandboxError) as refused:
        await asyncio.to_thread(control.ask, at, op, **options)
    return refused.value


async def said(port, sent, *, closes=True):
    """What a peer of our own making is told, and that the conversation has ended then."""
    reader, writer = await asyncio.open_connection(*port.place)
    writer.write(sent)
    told = await asyncio.wait_for(reader.readline(), 5)
    if closes:
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    return json.loads(told)


async def test_an_order_and_its_answer_cross_either_way_and_the_token_stops_at_the_door(at):
    async with taking_orders(at):
        blocking = await asyncio.to_thread(control.ask, at, "arm", id="w1", params={"x": 1})
        waiting = await control.ask_async(at, "list")

    assert blocking == {"got": {"op": "arm", "id": "w1", "params": {"x": 1}}}
    assert waiting == {"got": {"op": "list"}}


async def test_what_the_process_refuses_is_raised_with_all_five_parts(at):
    refusal = SandboxError("FLT-001", where="here", seen="x", expected="y", fix="z")

    async def refuse(order):
        raise refusal

    async with taking_orders(at, refuse):
        raised = await code_of(at)

    assert raised.as_json() == refusal.as_json()


@pytest.mark.parametrize("shown", ["", "b" * 64, SECRET[:-1], SECRET + "a", "é" * 64])
async def test_a_wrong_token_is_refused_and_neither_token_is_told(port, shown):
    reached = []

    async def note(order):
        reached.append(order)
        return {}

    async with taking_orders(port, note):
        raised = await code_of(Endpoint(port.address, shown), "disarm", id="w1")
        right = await asyncio.to_thread(control.ask, port, "ping")

    assert raised.kind.code == "RUN-010"
    assert SECRET not in str(raised)
    assert not shown or shown not in str(raised)
    assert (right, reached) == ({}, [{"op": "ping"}]), "the wrong one reached nothing"


@pytest.mark.parametrize("token", [None, 5, ["a"], {"a": 1}, True])
async def test_a_token_that_is_no_text_is_a_wrong_one(port, token):
    async with taking_orders(port):
        told = await said(port, json.dumps({"op": "ping", "token": token}).encode() + b"\n")

    assert told["error"]["code"] == "RUN-010"


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe\n", b"[]\n", b"5\n", b'{"op": 5}\n', b"[" * 50_000 + b"\n",
     b'{"token": "' + SECRET.encode() + b'"}\n', b"x" * (control.MAX_LINE_BYTES + 1) + b"\n"],
    ids=["http", "bytes", "list", "number", "op", "deep", "no-op", "too-long"],
)  # fmt: skip
async def test_rubbish_is_refused_the_conversation_ends_and_the_next_order_is_taken(port, sent):
    async with taking_orders(port):
        told = await said(port, sent, closes=len(sent) < 100_000)
        assert await asyncio.to_thread(control.ask, port, "ping")

    assert told["ok"] is False
    assert told["error"]["code"] == "CFG-003"
    assert SECRET not in json.dumps(told)


async def test_a_peer_that_says_nothing_is_let_go(at):
    async with taking_orders(at, patience_s=0.1):
        if at.path:
            reader, writer = await asyncio.open_unix_connection(str(at.path))
        else:
            reader, writer = await asyncio.open_connection(*at.place)
        writer.write(b'{"op": ')
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_more_conversations_than_anybody_needs_are_turned_away(port):
    async with taking_orders(port):
        held = [await asyncio.open_connection(*port.place) for _ in range(control.MAX_PEERS)]
        for reader, writer in held:  # each of them is being served
            writer.write(json.dumps({"op": "ping", "token": SECRET}).encode() + b"\n")
            await reader.readline()
        one_more = await code_of(port)
        held[0][1].close()
        await held[0][1].wait_closed()

        async def taken():
            try:
                return await control.ask_async(port, "ping")
            except SandboxError:
                return None

        async with asyncio.timeout(5):
            while await taken() is None:
                pass
        for _, writer in held:
            writer.close()

    assert one_more.kind.code == "WIRE-005"


async def test_who_asks_does_not_wait_without_end_for_a_process_that_hangs(at):
    async def hang(order):
        await asyncio.Event().wait()

    async with taking_orders(at, hang):
        assert (await code_of(at, timeout_s=0.2)).kind.code == "WIRE-004"
        with pytest.raises(TimeoutError):
            await control.ask_async(at, "ping", timeout_s=0.2)


def stranger(port, speak):
    """Something else that listens at that address."""

    async def serve(reader, writer):
        await reader.readline()
        await speak(writer)
        writer.close()

    return asyncio.start_server(serve, *port.place)


async def test_an_answer_that_drips_costs_the_timeout_of_the_whole_not_of_each_byte(port):
    async def drip(writer):
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with await stranger(port, drip):
        assert (await code_of(port, timeout_s=0.3)).kind.code == "WIRE-004"


@pytest.mark.parametrize(
    "words", [b"hello\n", b"[]\n", b'{"no": "ok"}\n', b'{"ok": false, "error": 7}\n', b"x" * (control.MAX_LINE_BYTES * 2)],
    ids=["text", "list", "no-ok", "bad-error", "endless"],
)  # fmt: skip
async def test_an_answer_that_is_none_names_the_address(port, words):
    async def speak(writer):
        writer.write(words)
        await writer.drain()

    async with await stranger(port, speak):
        raised = await code_of(port)
        with pytest.raises(SandboxError, match="WIRE-007"):
            await control.ask_async(port, "ping")

    assert (raised.kind.code, raised.where) == ("WIRE-007", port.address)


async def test_where_nobody_listens_or_hangs_up_no_stack_runs(port):
    assert (await code_of(port)).kind.code == "RUN-001"

    async def hang_up(writer):
        return None

    async with await stranger(port, hang_up):
        assert (await code_of(port)).kind.code == "RUN-001"


async def test_an_order_too_long_to_be_taken_is_not_sent(port):
    assert (await code_of(port, "arm", id="x" * control.MAX_LINE_BYTES)).kind.code == "CFG-003"


async def test_a_port_that_is_taken_is_said_so(port):
    with socket.create_server(port.place), pytest.raises(SandboxError, match="RUN-006"):
        await control.listen(port, echo)


@pytest.mark.parametrize("address", ["", "7301", ":7301", "host:", "host:port", "host:0", "host:99999"])
async def test_an_address_that_is_none_is_refused(address):
    assert (await code_of(Endpoint(address, SECRET))).kind.code == "CFG-001"


def run_in(folder, controls):
    return RunInfo(str(folder), "tiny", str(folder), 0.0, 0.0, 60.0, 1, "", {}, {}, controls=controls)


def test_the_token_is_for_one_user_and_one_run_and_shows_nowhere(tmp_path):
    run = run_in(tmp_path, {"gateway": f"{LOOPBACK}:7307"})
    make_token(tmp_path)
    first = read_token(tmp_path)
    assert stat.S_IMODE((tmp_path / TOKEN).stat().st_mode) == 0o600
    assert first not in repr(Endpoint.of(run, "gateway"))

    make_token(tmp_path)

    assert read_token(tmp_path) != first
    assert len(first) == 64


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_run_without_a_usable_token_is_refused_before_anything_is_sent(tmp_path, content):
    if content is not None:
        (tmp_path / TOKEN).write_bytes(content)

    with pytest.raises(SandboxError, match="RUN-010"):
        Endpoint.of(run_in(tmp_path, {"gateway": f"{LOOPBACK}:7307"}), "gateway")


def test_a_supervised_run_needs_none_its_sockets_keep_others_out(tmp_path):
    at = Endpoint.of(run_in(tmp_path, {}), "gateway")

    assert (at.path, at.token) == (tmp_path / "ctl-gateway.sock", "")
