"""Calls on a trunk: as those that come by themselves, with a real server on loopback."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc import aio

from sandbox.base.errors import SandboxError
from services.proto.recsys.v1 import rules_pb2, rules_pb2_grpc, trunk_pb2
from services.skeleton.exchange import Exchange
from services.skeleton.status import from_rpc_error, grpc_status
from services.skeleton.trunk import CARRY, MAX_MESSAGE_BYTES, Trunk, together
from tests.services.waiting import eventually, until

DRAIN_S = 5.0  # that calls get
META = (("x-caller", "gateway"), ("x-place", "1,2,3,4,0"))


class Callee:
    """Answers after slate_size milliseconds with what came along; user -1 is refused."""

    def __init__(self):
        self.begun, self.cancelled, self.met = 0, 0, []

    async def apply(self, raw, call):
        request = rules_pb2.ApplyRequest.FromString(raw)
        self.begun += 1
        self.met.append((dict(call.invocation_metadata()), call.time_remaining()))
        if request.user_id == -1:
            error = SandboxError("WIRE-002", where="user", seen=-1, expected="0 or more", fix="name one")
            await call.abort_with_status(grpc_status(error))
        try:
            await asyncio.sleep(request.slate_size / 1000)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return rules_pb2.ApplyResponse(rules_version=str(request.user_id)).SerializeToString()


class Side:
    """One server and one caller, who may be cut off and come back."""

    def __init__(self):
        self.callee, self.address = Callee(), "127.0.0.1:0"
        self.exchange = self.server = self.line = None

    async def up(self):
        self.exchange = Exchange({"/recsys.v1.Rules/Apply": self.callee.apply})
        self.server = aio.server(options=(("grpc.so_reuseport", 0),))
        self.server.add_generic_rpc_handlers((self.exchange.generic(),))
        port = self.server.add_insecure_port(self.address)
        self.address = f"127.0.0.1:{port}"
        await self.server.start()

    async def drain(self):
        self.exchange.leave()
        await self.server.stop(DRAIN_S)


@asynccontextmanager
async def trunk():
    side = Side()
    await side.up()
    channel = aio.insecure_channel(side.address, options=(("grpc.initial_reconnect_backoff_ms", 50),))
    line = side.line = Trunk(channel)
    try:
        yield side, rules_pb2_grpc.RulesStub(line).Apply
    finally:
        await line.close()
        await channel.close()
        await side.server.stop(0)


def ask(user, ms=0):
    return rules_pb2.ApplyRequest(user_id=user, slate_size=ms)


async def test_many_calls_at_once_get_their_own_answers_in_any_order():
    async with trunk() as (side, call):
        asked = [call(ask(n, ms=(50 - n) * 2), timeout=20, metadata=META) for n in range(50)]
        answers = await asyncio.gather(*asked)

    assert [a.rules_version for a in answers] == [str(n) for n in range(50)]
    assert all(meta == dict(META) and 0 < left <= 20 for meta, left in side.callee.met)


async def test_a_refusal_arrives_as_the_typed_error_it_was():
    async with trunk() as (_, call):
        with pytest.raises(aio.AioRpcError) as caught:
            await call(ask(-1), timeout=20, metadata=META)

    error = from_rpc_error(caught.value, "gateway->rules")
    assert (error.kind.code, error.where, error.fix) == ("WIRE-002", "user", "name one")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_whoever_is_late_or_given_up_ends_and_the_others_go_on():
    async with trunk() as (side, call):
        other = asyncio.create_task(call(ask(7, ms=600), timeout=20, metadata=META))
        with pytest.raises(aio.AioRpcError) as late:
            await call(ask(1, ms=9_000), timeout=0.05, metadata=META)
        await until(lambda: side.callee.cancelled == 1)
        given_up = asyncio.create_task(call(ask(2, ms=9_000), timeout=20, metadata=META))
        await until(lambda: side.callee.begun == 3)
        given_up.cancel()
        await until(lambda: side.callee.cancelled == 2)

        assert (await other).rules_version == "7"
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_that_is_given_up_before_it_begins_never_does_and_is_forgotten():
    request = ask(2, ms=9_000).SerializeToString()
    words = list(itertools.chain.from_iterable(META))
    made = trunk_pb2.CallOut(id=1, method="/recsys.v1.Rules/Apply", timeout_s=20, metadata=words, request=request)
    after = trunk_pb2.CallOut(
        id=2, method=made.method, timeout_s=20, metadata=words, request=ask(3).SerializeToString()
    )
    async with trunk() as (side, _), aio.insecure_channel(side.address) as channel:
        raw = channel.stream_stream(
            CARRY, request_serializer=trunk_pb2.CallsOut.SerializeToString,
            response_deserializer=trunk_pb2.Answers.FromString,
        )()  # fmt: skip
        await raw.write(trunk_pb2.CallsOut(calls=[made, trunk_pb2.CallOut(id=1)]))  # both in one message
        await raw.write(trunk_pb2.CallsOut(calls=[after]))
        heard = aiter(raw)
        answered = [answer.id for answer in (await anext(heard)).answers]  # the server has read what came before it
        drained = asyncio.create_task(side.drain())
        told = [message.leaving async for message in heard]  # ends, as nothing is owed
        await drained

    assert answered == [2]
    assert told == [True]
    assert side.callee.begun == 1


async def test_a_callee_that_dies_fails_what_it_had_and_is_found_again_when_it_is_back():
    async with trunk() as (side, call):
        lost = asyncio.create_task(call(ask(1, ms=9_000), timeout=20, metadata=META))
        await until(lambda: side.callee.begun)
        await side.server.stop(0)
        with pytest.raises(aio.AioRpcError) as caught:
            await lost
        with pytest.raises(aio.AioRpcError) as nobody:
            await call(ask(2), timeout=20, metadata=META)
        await side.up()

        answer = await eventually(lambda: call(ask(3), timeout=5, metadata=META))
    assert from_rpc_error(caught.value, "e").kind.code == from_rpc_error(nobody.value, "e").kind.code == "WIRE-005"
    assert answer.rules_version == "3"


async def test_a_callee_that_drains_answers_all_that_it_took_and_nothing_is_done_twice():
    async with trunk() as (side, call):
        begun = [asyncio.create_task(call(ask(n, ms=300), timeout=20, metadata=META)) for n in range(5)]
        await until(lambda: side.callee.begun == 5)
        drained = asyncio.create_task(side.drain())
        answers = await asyncio.gather(*begun)
        await drained
        with pytest.raises(aio.AioRpcError) as gone:
            await call(ask(9), timeout=20, metadata=META)

    assert [a.rules_version for a in answers] == list("01234")
    assert side.callee.begun == 5
    assert gone.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_call_on_its_way_to_one_who_has_left_is_made_anew_elsewhere():
    """The second life of the callee gets what the first had told that it would not take."""
    taken = []

    async def first_life(_, context):
        await context.write(trunk_pb2.Answers(leaving=True))
        taken.append((await context.read()).calls[0].id)  # as if it had come after the end: nobody handles it

    async def second_life(request_iterator, context):
        exchange = Exchange({"/recsys.v1.Rules/Apply": Callee().apply})
        await exchange._carry(request_iterator, context)

    lives = [first_life, second_life]

    async def live(request_iterator, context):
        await lives.pop(0)(request_iterator, context)

    server = aio.server()
    carry = grpc.stream_stream_rpc_method_handler(
        live,
        request_deserializer=trunk_pb2.CallsOut.FromString, response_serializer=trunk_pb2.Answers.SerializeToString,
    )  # fmt: skip
    service, method = CARRY[1:].split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: carry}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = aio.insecure_channel(f"127.0.0.1:{port}")
    line = Trunk(channel)

    answer = await rules_pb2_grpc.RulesStub(line).Apply(ask(4), timeout=20, metadata=META)
    await line.close()
    await channel.close()
    await server.stop(0)

    assert taken == [1]
    assert answer.rules_version == "4"


async def test_a_method_that_there_is_not_is_said_to_be_none():
    async with trunk() as (side, call):
        nothing = side.line.unary_unary("/recsys.v1.Rules/Nothing", rules_pb2.ApplyRequest.SerializeToString, bytes)
        with pytest.raises(aio.AioRpcError) as caught:
            await nothing(ask(1), timeout=20, metadata=META)

        assert (await call(ask(1), timeout=20, metadata=META)).rules_version == "1"
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_messages_travel_together_up_to_a_size_and_a_large_one_by_itself():
    half = MAX_MESSAGE_BYTES // 2
    assert together([half, half, 1], int) == ([half, half], [1])
    assert together([3 * half, 1], int) == ([3 * half], [1])
    assert together([1, 2], int) == ([1, 2], [])
    assert together([], int) == ([], [])
