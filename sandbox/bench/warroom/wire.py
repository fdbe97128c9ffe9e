"""Just enough HTTP for the participants: connections that are kept, and the bytes that came.

A library's client would cost more processor than the server that is measured.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MOST_LINE = 1 << 20  # bytes of an answer's head


@dataclass(frozen=True)
class Answer:
    """status: of HTTP. body: as it came."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Http:
    """A server's calls. address: http://host:port. headers: of each request. Each call has a connection for itself; those
    that are free are used again, as a browser does. received: bytes of all bodies so far."""

    def __init__(self, address: str, headers: Mapping[str, str] | None = None) -> None:
        at = urlsplit(address)
        self._host, self._port, self.headers = at.hostname or "", at.port or 80, dict(headers or {})
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.received = 0

    async def call(self, method: str, path: str, document: Any = None) -> Answer:
        """Raises ConnectionError where the server cannot be reached."""
        body = b"" if document is None else json.dumps(document).encode()
        request = self._head(method, path, body) + body
        while self._free:
            connection = self._free.pop()
            try:
                return await self._asked(connection, request)
            except (ConnectionError, asyncio.IncompleteReadError):  # the server let go of it meanwhile
                connection[1].close()
        try:
            return await self._asked(await self._connected(), request)
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the server ended the connection") from error

    def close(self) -> None:
        for _, writer in self._free:
            writer.close()
        self._free.clear()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, limit=MOST_LINE)

    async def _asked(self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> Answer:
        reader, writer = connection
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        self.received += len(body)
        if fields.get("connection") == "close":
            writer.close()
        else:
            self._free.append(connection)
        return Answer(int(head[0].split(" ")[1]), body)

    def _head(self, method: str, path: str, body: bytes) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}:{self._port}", f"content-length: {len(body)}"]
        if body:
            lines.append("content-type: application/json")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()
