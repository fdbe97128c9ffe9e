"""Who somebody is: a signed token that says a room, a participant and until when. Nothing is kept of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from sandbox.base.errors import SandboxError

_MOST = 300  # characters of a token


def signed(key: bytes, code: str, participant: str, until: float) -> str:
    """until: seconds since the epoch."""
    body = f"{code}:{participant}:{int(until)}".encode()
    return f"{_text(body)}.{_text(_tag(key, body))}"


def participant_of(key: bytes, token: str, code: str, now: float) -> str:
    """Raises ROOM-004 for a token that is none, of another room, or expired."""
    body, dot, tag = token.partition(".")
    try:
        told, shown = _bytes(body), _bytes(tag)
        room, who, until = told.decode().split(":")
    except (ValueError, binascii.Error):
        raise not_signed_in("no token of this server") from None
    if len(token) > _MOST or not dot or not hmac.compare_digest(_tag(key, told), shown):
        raise not_signed_in("no token of this server")
    if room != code:
        raise not_signed_in("a token of another room")
    if float(until) <= now:
        raise not_signed_in("a token that has expired")
    return who


def not_signed_in(seen: str) -> SandboxError:
    return SandboxError(
        "ROOM-004", where="sign-in", seen=seen, expected="the cookie or token that joining gave",
        fix="join the room: POST /api/v1/rooms/{code}/join",
    )  # fmt: skip


def same_secret(shown: str, secret: str) -> bool:
    """In constant time, whatever their lengths."""
    return hmac.compare_digest(hashlib.sha256(shown.encode()).digest(), hashlib.sha256(secret.encode()).digest())


def _tag(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
