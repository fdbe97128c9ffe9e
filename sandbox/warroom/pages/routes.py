"""The files that browsers are given, each with the headers that keep it harmless, and the instructor's sign-in.

A page is the same for everybody and holds nothing of any room: what there is to see it fetches from the API.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse

from sandbox.base.errors import SandboxError
from sandbox.warroom import callers

pages = APIRouter(include_in_schema=False)
_PLACE = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
# Scripts and styles of this server alone, none inline; `require-trusted-types-for` has the browser refuse every text
# that would become markup or script, wherever it comes from.
POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
    "trusted-types 'none'",
))  # fmt: skip
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",  # kept, and asked for again: an update is seen at once
}


@dataclass(frozen=True)
class Static:
    body: bytes
    media_type: str
    etag: str


class SignIn(BaseModel, extra="forbid"):
    secret: str = Field(min_length=1, max_length=400)


def _static(body: bytes, suffix: str) -> Static:
    return Static(body, _TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def _page(title: str, script: str, *styles: str) -> Static:
    """All that a page brings of its own: the script makes the rest."""
    links = "\n".join(f'<link rel="stylesheet" href="/static/{name}">' for name in ("style.css", *styles))
    text = Path(__file__).with_name("page.html").read_text()
    return _static(text.format(title=title, styles=links, script=script).encode(), ".html")


FILES = {
    path.name: _static(path.read_bytes(), path.suffix) for path in sorted(_PLACE.iterdir()) if path.suffix in _TYPES
} | {
    "room.html": _page("War room", "room.js"),
    "instructor.html": _page("Instructor · War room", "instructor.js"),
    "replay.html": _page("Replay · War room", "replays.js"),
    "results.html": _page("Results · War room", "results.js"),
    "library.html": _page("Scenarios · War room", "library.js", "library.css"),
    "editor.html": _page("Editor · War room", "editor.js", "library.css"),
}  # fmt: skip


@pages.get("/")
@pages.get("/r/{code}")
async def room(request: Request) -> Response:
    """Whoever is signed in there sees the room, everybody else the form to join."""
    return _file("room.html", request)


@pages.get("/instructor")
async def instructor(request: Request, secret: str | None = None) -> Response:
    """The secret leaves the address at once: a cookie that is not the secret takes its place."""
    if secret is None:
        return _file("instructor.html", request)
    try:
        return _signed_in(request, RedirectResponse("/instructor", 303, headers=HEADERS), secret)
    except SandboxError:
        return RedirectResponse("/instructor#refused", 303, headers=HEADERS)


@pages.get("/instructor/replay")
async def replay(request: Request) -> Response:
    return _file("replay.html", request)


@pages.get("/instructor/library")
async def library(request: Request) -> Response:
    """As the instructor's page: the same for everybody, and empty without the cookie."""
    return _file("library.html", request)


@pages.get("/instructor/editor")
async def editor(request: Request) -> Response:
    """Which scenario is edited stands behind the address's #, which no server is sent."""
    return _file("editor.html", request)


@pages.get("/instructor/results")
async def results(request: Request) -> Response:
    return _file("results.html", request)


@pages.post("/instructor")
async def sign_in(request: Request, shown: SignIn) -> Response:
    """The same by the form. Raises ROOM-004."""
    return _signed_in(request, Response(status_code=204), shown.secret)


@pages.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    if name not in FILES:
        raise SandboxError("WIRE-003", where="static", seen=name[:80], expected="a file of the pages", fix="open /")
    return _file(name, request)


def _file(name: str, request: Request) -> Response:
    file = FILES[name]
    headers = {**HEADERS, "etag": file.etag}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)


def _signed_in(request: Request, response: Response, secret: str) -> Response:
    at = callers.served(request)
    at.require_instructor(secret)
    callers.remember(response, request, callers.INSTRUCTORS_COOKIE, at.instructors_token())
    return response
