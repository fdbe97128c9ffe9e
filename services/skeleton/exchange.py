"""The called side of trunks: calls that come on a stream go to the same handlers as those that come by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import grpc
from grpc import aio

from services.proto.recsys.v1 import trunk_pb2
from services.skeleton.trunk import CARRY, STATUS, together

Handler = Callable[[bytes, Any], Awaitable[bytes]]


class Exchange:
    """All trunks of one process. handlers: by full path, as they are given to gRPC itself."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._incoming: set[_Incoming] = set()
        self._leaving = False
        self._telling: list[asyncio.Task[None]] = []

    def generic(self) -> grpc.GenericRpcHandler:
        service, method = CARRY[1:].split("/")
        carry = grpc.stream_stream_rpc_method_handler(
            self._carry, request_deserializer=trunk_pb2.CallsOut.FromString,
            response_serializer=trunk_pb2.Answers.SerializeToString,
        )  # fmt: skip
        return grpc.method_handlers_generic_handler(service, {method: carry})

    def leave(self) -> None:
        """Callers are told to make no further calls here. Each trunk ends when what it brought is answered."""
        self._leaving = True
        self._telling = [asyncio.create_task(incoming.leave()) for incoming in self._incoming]

    async def _carry(self, _: Any, context: Any) -> None:
        incoming = _Incoming(self._handlers, context)
        self._incoming.add(incoming)
        try:
            if self._leaving:
                await incoming.leave()
            await incoming.serve()
        finally:
            self._incoming.discard(incoming)


class _Incoming:
    """One trunk."""

    def __init__(self, handlers: Mapping[str, Handler], rpc: Any) -> None:
        self._handlers, self._rpc, self._loop = handlers, rpc, asyncio.get_running_loop()
        self._calls: dict[int, asyncio.Task[None]] = {}  # in progress, by id
        self._out: list[Any] = []
        self._sender: asyncio.Task[None] | None = None  # of the tasks that had an answer, the one that sends for all
        self._leaving = self._told = False  # told: the caller knows
        self._over: asyncio.Future[None] = self._loop.create_future()  # done: what comes now was not taken

    async def serve(self) -> None:
        """Until the caller hangs up, or is told that this process leaves and has all its answers."""
        reader = self._loop.create_task(self._read())
        try:
            await asyncio.wait((reader, self._over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._end()
            reader.cancel()
            for task in list(self._calls.values()):
                task.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def leave(self) -> None:
        self._leaving = True
        await self._send()

    async def _read(self) -> None:
        while (read := await self._rpc.read()) is not aio.EOF and not self._over.done():
            for call in read.calls:
                if call.method:
                    self._calls[call.id] = self._loop.create_task(self._answer(call))
                elif (given_up := self._calls.pop(call.id, None)) is not None:
                    given_up.cancel()  # one that has not begun never does
                    self._end_if_all_is_said()

    async def _answer(self, call: Any) -> None:
        due, answer = self._loop.call_later(call.timeout_s, self._calls[call.id].cancel), None
        try:
            handler = self._handlers.get(call.method)
            if handler is None:
                raise _Aborted(grpc.StatusCode.UNIMPLEMENTED, f"no method {call.method}")
            answer = trunk_pb2.Answer(id=call.id, answer=await handler(call.request, _Carried(call.metadata, due)))
        except _Aborted as error:
            answer = trunk_pb2.Answer(id=call.id, code=error.code.value[0], details=error.details, status=error.status)
        finally:
            due.cancel()
            self._calls.pop(call.id, None)  # nobody cancels it from here on: a message is sent whole
            if answer is None:
                self._end_if_all_is_said()
        self._out.append(answer)
        await self._send()

    async def _send(self) -> None:
        """Sends all that is to be sent, unless another task is about it."""
        if self._sender is not None:
            return
        self._sender = asyncio.current_task()
        try:
            while self._out or self._told is not self._leaving:
                self._told = self._leaving
                answers, self._out = together(self._out, lambda answer: len(answer.answer))
                await self._rpc.write(trunk_pb2.Answers(answers=answers, leaving=self._told))
        except Exception:  # the caller is gone, by whatever name gRPC has for it
            self._end()
        finally:
            self._sender = None
        self._end_if_all_is_said()

    def _end_if_all_is_said(self) -> None:
        if self._told and not (self._calls or self._out or self._sender):
            self._end()

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


class _Carried:
    """What a handler asks of gRPC about its call."""

    __slots__ = ("_due", "_words")

    def __init__(self, words: Sequence[str], due: asyncio.TimerHandle) -> None:
        self._words, self._due = words, due

    def invocation_metadata(self) -> Iterator[tuple[str, str]]:
        return zip(self._words[::2], self._words[1::2], strict=True)

    def time_remaining(self) -> float:
        return self._due.when() - asyncio.get_running_loop().time()

    async def abort_with_status(self, status: Any) -> NoReturn:
        details = {key: value for key, value in status.trailing_metadata or () if key == STATUS}
        raise _Aborted(status.code, status.details, details.get(STATUS, b""))


class _Aborted(Exception):  # noqa: N818 no error: how a handler ends its call
    """The end of a call by another status than OK."""

    def __init__(self, code: grpc.StatusCode, details: str, status: bytes = b"") -> None:
        super().__init__(code, details)
        self.code, self.details, self.status = code, details, status
