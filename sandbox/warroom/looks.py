"""Calls that only look: the overview of a room, again and again; the words of its forms; its debrief as a file."""

from __future__ import annotations

from functools import cache
from typing import Annotated

import anyio
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from sandbox.room.debriefed import MEDIA, Form, file_of
from sandbox.room.overview import Overview
from sandbox.room.room import Room
from sandbox.room.words import Words
from sandbox.room.words import words as all_words
from sandbox.warroom import callers

looks = APIRouter(prefix="/api/v1")
Since = Annotated[float, Query(ge=0, le=1e12, description="world seconds; points of signals after that alone")]


@looks.get("/words", tags=["words"], response_model=Words)
async def words() -> Response:
    """What reports, actions and queries are made of. The same for all rooms."""
    return Response(_all_words(), media_type="application/json", headers={"cache-control": "max-age=3600"})


@looks.get("/rooms/{code}/overview", tags=["participants"])
async def overview(code: str, request: Request, since: Since = 0.0) -> Overview:
    """The stack's numbers, made once in a while however many watch."""
    return await _seen(request, *callers.participant(request, code), since)


@looks.get("/instructor/rooms/{code}/overview", tags=["instructor"])
async def instructor_overview(code: str, request: Request, since: Since = 0.0) -> Overview:
    """The same."""
    return await _seen(request, *callers.instructor(request, code), since)


@looks.get("/rooms/{code}/debrief", tags=["participants"], response_class=HTMLResponse)
async def debrief(code: str, request: Request, form: Form = "html") -> Response:
    """The debrief as a file, once the room is graded: an HTML page that opens without network, the same as PDF by a browser that
    the server has, an incident report in Markdown, or a document."""
    return await _debrief(request, *callers.participant(request, code), form)


@looks.get("/instructor/rooms/{code}/debrief", tags=["instructor"], response_class=HTMLResponse)
async def instructor_debrief(code: str, request: Request, form: Form = "html") -> Response:
    """The same."""
    return await _debrief(request, *callers.instructor(request, code), form)


@cache
def _all_words() -> bytes:
    """Whoever asks need not be in a room, so asking must cost nothing."""
    return all_words().model_dump_json().encode()


async def _debrief(request: Request, room: Room, who: str, form: Form) -> Response:
    at = callers.reads(request, room, who)
    room.events_after(0, who, 0)  # refused for whoever is in the room no more
    body = await anyio.to_thread.run_sync(file_of, room, form, limiter=at.past_threads)
    headers = {
        "content-disposition": f'attachment; filename="debrief-{room.code}.{form}"',
        "x-content-type-options": "nosniff",
    }
    return Response(body, media_type=MEDIA[form], headers=headers)


async def _seen(request: Request, room: Room, who: str, since: float) -> Overview:
    at = callers.reads(request, room, who)
    room.events_after(0, who, 0)  # refused for whoever is in the room no more
    return (await at.overview(room)).since(since)
