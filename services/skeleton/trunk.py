"""The calling side of a trunk: all calls to one instance over one network path, on one gRPC stream.

A call by itself opens and closes a stream of HTTP/2, with headers, trailers and a task at either end, which costs
more than what most of our calls do. On a trunk it is a message there and one back, and messages that come together
travel as one. What a call is stays as it was: it has its deadline, its metadata and its status, and whoever gives it
up ends it at the callee too (services.skeleton.exchange). Nothing is repeated here that may have been begun.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import grpc
from grpc import aio

from services.proto.recsys.v1 import trunk_pb2

CARRY = "/recsys.v1.Trunk/Carry"
STATUS = "grpc-status-details-bin"  # where gRPC keeps a rich status
MAX_MESSAGE_BYTES = 1 << 20  # of calls that travel together; one by itself may be larger
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Trunk:
    """Stands where a channel does in a stub: `RulesStub(Trunk(channel))`. Connects when first called."""

    def __init__(self, channel: aio.Channel) -> None:
        self._open = channel.stream_stream(
            CARRY,
            request_serializer=trunk_pb2.CallsOut.SerializeToString,
            response_deserializer=trunk_pb2.Answers.FromString,
        )
        self._current: _Stream | None = None
        self._streams: set[_Stream] = set()  # that one, and those that still wait for answers

    def unary_unary(
        self, method: str, request_serializer: Callable[[Any], bytes], response_deserializer: Callable[[bytes], Any],
        _registered_method: bool = False,
    ) -> Callable[..., Awaitable[Any]]:  # fmt: skip
        """As of grpc.aio.Channel: what it returns takes a request, a timeout (seconds) and metadata, and raises
        AioRpcError."""

        async def call(request: Any, timeout: float, metadata: Sequence[tuple[str, str]]) -> Any:
            loop, words = asyncio.get_running_loop(), list(itertools.chain.from_iterable(metadata))
            raw, until = request_serializer(request), loop.time() + timeout
            while True:
                answer = await self._stream().call(method, raw, until, words)
                if answer is None:
                    continue  # the callee left before it took the call, and has said so
                if answer.code:
                    raise _failed(_CODES[answer.code], answer.details, answer.status)
                return response_deserializer(answer.answer)

        return call

    def _stream(self) -> _Stream:
        stream = self._current
        if stream is None or stream.over:
            stream = self._current = _Stream(self._open())
            self._streams = {stream, *(s for s in self._streams if not s.ended)}
        return stream

    async def close(self) -> None:
        """Calls in progress end as cancelled."""
        for stream in self._streams:
            await stream.close()


class _Stream:
    """One life of a trunk. over: no further calls here. ended: none waits any more either."""

    def __init__(self, stream: aio.StreamStreamCall[Any, Any]) -> None:
        self._rpc, self._loop = stream, asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._out: list[Any] = []
        self._idle: asyncio.Future[None] | None = None  # the writer's, while there is nothing to send
        self.over = self.ended = False
        self._tasks = (self._loop.create_task(self._write()), self._loop.create_task(self._read()))

    async def call(self, method: str, request: bytes, until: float, metadata: list[str]) -> Any:
        """The Answer, None where the callee certainly did not take the call. until: of the loop's clock. Raises
        AioRpcError."""
        number, left_s = next(self._ids), until - self._loop.time()
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting[number] = answer
        self._send(trunk_pb2.CallOut(id=number, method=method, timeout_s=left_s, metadata=metadata, request=request))
        late = self._loop.call_at(until, _expire, answer)
        try:
            return await answer
        except (asyncio.CancelledError, aio.AioRpcError):
            if self._waiting.pop(number, None) is not None:
                self._send(trunk_pb2.CallOut(id=number))
            raise
        finally:
            late.cancel()

    def _send(self, call: Any) -> None:
        self._out.append(call)
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def _write(self) -> None:
        with suppress(aio.AioRpcError, asyncio.InvalidStateError):  # the reader learns why
            while True:
                if not self._out:
                    self._idle = self._loop.create_future()
                    await self._idle
                calls, self._out = together(self._out, lambda call: len(call.request))
                await self._rpc.write(trunk_pb2.CallsOut(calls=calls))

    async def _read(self) -> None:
        why: tuple[grpc.StatusCode, str] | None = grpc.StatusCode.CANCELLED, "the trunk was closed"
        try:
            while (read := await self._rpc.read()) is not aio.EOF:
                for answer in read.answers:
                    asked = self._waiting.pop(answer.id, None)
                    if asked is not None and not asked.done():
                        asked.set_result(answer)
                self.over = self.over or read.leaving
            # Its own end, in order: what it had read is answered, what waits still it never read.
            why = None if self.over else (grpc.StatusCode.UNAVAILABLE, "the callee ended the trunk")
        except aio.AioRpcError as error:
            why = error.code(), error.details() or ""
        finally:
            self.over = self.ended = True
            self._tasks[0].cancel()
            waiting, self._waiting = self._waiting, {}
            for future in waiting.values():
                if future.done():
                    continue
                if why is None:
                    future.set_result(None)
                else:
                    future.set_exception(_failed(*why))

    async def close(self) -> None:
        self._rpc.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


def together(messages: list[Any], n_bytes: Callable[[Any], int]) -> tuple[list[Any], list[Any]]:
    """Those from the front that travel as one, at least one; and the rest."""
    size = 0
    for i, message in enumerate(messages):
        size += n_bytes(message)
        if i and size > MAX_MESSAGE_BYTES:
            return messages[:i], messages[i:]
    return messages, []


def _expire(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(_failed(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))


def _failed(code: grpc.StatusCode, details: str, status: bytes = b"") -> aio.AioRpcError:
    trailers = aio.Metadata((STATUS, status)) if status else aio.Metadata()
    return aio.AioRpcError(code, aio.Metadata(), trailers, details=details)
