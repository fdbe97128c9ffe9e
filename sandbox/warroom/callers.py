"""Who calls: read from a request or a socket, the same for both."""

from __future__ import annotations

from fastapi import Request, WebSocket
from starlette.requests import HTTPConnection

from sandbox.room.events import INSTRUCTOR
from sandbox.room.room import Room
from sandbox.warroom.rooms import Served

Connection = Request | WebSocket
INSTRUCTORS_COOKIE = "sandbox_instructor"


def served(connection: HTTPConnection) -> Served:
    found: Served = connection.app.state.served
    return found


def cookie_name(code: str) -> str:
    return f"sandbox_room_{code}"


def participant(connection: HTTPConnection, code: str) -> tuple[Room, str]:
    """Raises ROOM-001, ROOM-004."""
    at = served(connection)
    room = at.room(code)
    token = _bearer(connection) or connection.query_params.get("token")
    return room, at.participant(room.code, token or connection.cookies.get(cookie_name(room.code)))


def instructor(connection: HTTPConnection, code: str) -> tuple[Room, str]:
    """Raises ROOM-001, ROOM-004."""
    require_instructor(connection)
    return served(connection).room(code), INSTRUCTOR


def require_instructor(connection: HTTPConnection) -> None:
    """By the secret, or in a browser by the cookie that it was exchanged for. Raises ROOM-004."""
    shown = _bearer(connection) or connection.query_params.get("secret")
    served(connection).require_instructor(shown, connection.cookies.get(INSTRUCTORS_COOKIE))


def _bearer(connection: HTTPConnection) -> str | None:
    kind, _, value = connection.headers.get("authorization", "").partition(" ")
    return value.strip() or None if kind.lower() == "bearer" else None
