"""What every request passes before anything is read of it: its size, and where it comes from."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.base.errors import SandboxError
from sandbox.warroom import problems

_SAFE = ("GET", "HEAD", "OPTIONS")


class TooLargeError(Exception):
    """More came than was announced."""


class Guard:
    """ASGI middleware. body_bytes: of one request."""

    def __init__(self, app: ASGIApp, body_bytes: int) -> None:
        self.app, self._most = app, body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers, path = Headers(scope=scope), scope["path"]
        if _foreign(headers, scope):
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008})
            return await problems.response(_from_elsewhere(), path, 403)(scope, receive, send)
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > self._most:
            return await problems.response(self._too_large(announced), path, 413)(scope, receive, send)
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        got, begun = 0, False

        async def counting() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._most:
                raise TooLargeError
            return message

        async def watching(message: Message) -> None:
            nonlocal begun
            if got <= self._most:  # else it is what the application makes of the error
                begun = True
                await send(message)

        with suppress(TooLargeError):
            await self.app(scope, counting, watching)
        if got > self._most and not begun:
            await problems.response(self._too_large(f"{got} and more"), scope["path"], 413)(scope, receive, send)

    def _too_large(self, seen: Any) -> SandboxError:
        return SandboxError(
            "ROOM-005", where="body of the request, bytes", seen=str(seen)[:30], expected=f"at most {self._most}",
            fix="send less",
        )  # fmt: skip


def _foreign(headers: Headers, scope: Scope) -> bool:
    """Whether a page of another origin makes somebody's browser ask, with their cookie."""
    origin = headers.get("origin")
    if origin is None or (scope["type"] == "http" and scope["method"] in _SAFE):
        return False
    return urlsplit(origin).netloc != headers.get("host", "")


def _from_elsewhere() -> SandboxError:
    return SandboxError(
        "ROOM-004", where="header Origin", seen="a page of another origin", expected="this server's own pages, or a program",
        fix="open the server's own address",
    )  # fmt: skip
