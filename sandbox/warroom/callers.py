"""Who calls: read from a request or a socket, the same for both."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from sandbox.room.events import INSTRUCTOR
from sandbox.room.room import Room
from sandbox.warroom.rooms import Served

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


def remember(response: Response, connection: HTTPConnection, name: str, token: str) -> None:
    """Has the browser show the token from now on, and no script of a page read it."""
    response.set_cookie(
        name, token, max_age=int(served(connection).settings.token_s), httponly=True, samesite="lax",
        secure=connection.url.scheme == "https",
    )  # fmt: skip


def reads(connection: HTTPConnection, room: Room, who: str) -> Served:
    """Counts one more read of somebody. Raises ROOM-005 for one too many."""
    at = served(connection)
    at.rates.spend(("read", room.code, who), at.settings.reads, "reads of one participant")
    return at


def _bearer(connection: HTTPConnection) -> str | None:
    kind, _, value = connection.headers.get("authorization", "").partition(" ")
    return value.strip() or None if kind.lower() == "bearer" else None
