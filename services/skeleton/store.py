"""The way to Redis: short timeouts, a connection that comes back, and one typed error when it does not.

`Store` is for the serving path: one connection on which commands follow each other without waiting
for answers, about a quarter of the general client's CPU for a read of 200 rows. `connect` gives the
general client, for those that need transactions or blocking reads.
"""

from __future__ import annotations

import asyncio
import builtins
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError

from sandbox.base.errors import SandboxError

TIMEOUT_S = 0.25  # wall seconds for one command; the healthy median is below 1 ms
MAX_WAITING = 1_000  # commands without an answer; further ones fail rather than pile up
FAILURES = (RedisError, OSError)  # what a command can raise
Word = bytes | str | int | float  # of a command
_NO_WRITES = ("OOM", "READONLY", "MISCONF", "NOREPLICAS")  # in what Redis says when it takes none


def connect(address: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """The general client for `RunInfo.redis`: the path of a unix socket, or host:port.

    timeout_s: wall seconds for connecting and for each command. Connects when first used; a
    connection found dead is replaced once, at once: whoever waits has a deadline of its own.
    """
    place: dict[str, Any]
    if address.startswith("/"):
        place = {"unix_socket_path": address}
    else:
        host, port = address.rsplit(":", 1)
        place = {"host": host, "port": int(port)}
    return Redis(
        **place,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError, TimeoutError)),
    )


class _Wire(asyncio.Protocol):
    """One connection: answers come in the order of the commands."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[Any]] = deque()
        self.reader = hiredis.Reader()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        while (answer := self.reader.gets()) is not False:
            future = self.waiting.popleft()
            if not future.done():  # else nobody waits any more
                future.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        for future in self.waiting:
            if not future.done():
                future.set_exception(ConnectionError(f"connection lost: {exc}"))
        self.waiting.clear()


class Store:
    """A client of one connection, shared by all handlers of a process. Connects when first used."""

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.address, self.timeout_s = address, timeout_s
        self._wire: _Wire | None = None
        self._connecting = asyncio.Lock()

    async def command(self, *words: Word) -> Any:
        """The answer: bytes, int, None or a list of them. Raises FAILURES: ResponseError for what the
        store refuses, TimeoutError after timeout_s, ConnectionError when it is not there."""
        (answer,) = await self.commands((words,))
        return answer

    async def commands(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """The answers of several commands that go out together: one round trip. Raises as `command`; what the
        store refuses of one does not keep the others from being done."""
        try:
            async with asyncio.timeout(self.timeout_s):
                wire = self._wire
                if wire is None or wire.transport is None:
                    wire = await self._connected()
                futures = self._sent(wire, commands)
                # Most ask for one thing, on the serving path: they are spared the gathering.
                answers = [await futures[0]] if len(futures) == 1 else await asyncio.gather(*futures)
        except builtins.TimeoutError:
            raise TimeoutError(f"no answer within {self.timeout_s} s") from None
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError):
                raise ResponseError(str(answer))
        return answers

    def _sent(self, wire: _Wire, commands: Sequence[Sequence[Word]]) -> list[asyncio.Future[Any]]:
        if len(wire.waiting) + len(commands) > MAX_WAITING:
            raise ConnectionError(f"{MAX_WAITING} commands wait for an answer")
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in commands]
        wire.waiting.extend(futures)
        assert wire.transport is not None
        wire.transport.write(b"".join([hiredis.pack_command(tuple(words)) for words in commands]))  # type: ignore[arg-type]
        return futures

    async def _connected(self) -> _Wire:
        async with self._connecting:
            if self._wire is None or self._wire.transport is None:
                loop = asyncio.get_running_loop()
                if self.address.startswith("/"):
                    _, self._wire = await loop.create_unix_connection(_Wire, self.address)
                else:
                    host, port = self.address.rsplit(":", 1)
                    _, self._wire = await loop.create_connection(_Wire, host, int(port))
            return self._wire

    async def close(self) -> None:
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.close()


def unreachable(where: str, error: Exception) -> SandboxError:
    """STORE-001 for a command that failed, STORE-004 where the store is there and takes no writes."""
    if isinstance(error, ResponseError) and any(word in str(error) for word in _NO_WRITES):
        return SandboxError(
            "STORE-004",
            where=where,
            seen=str(error)[:200],
            expected="a store that takes writes",
            fix="see redis_stats: is its memory full? Restart it, or the writer that fills it",
        )
    return SandboxError(
        "STORE-001",
        where=where,
        seen=f"{type(error).__name__}: {error}"[:200],
        expected="a store that answers",
        fix="see `sandbox status`: is redis up?",
    )
