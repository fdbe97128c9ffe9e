"""Calls that look back: rooms and drills of before for the instructor; a room's own life for its team, from the debrief on.

A recording is read from disk, so the room need not be served any more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from sandbox.room.documents import Moment
from sandbox.room.record.listing import RecordingLine, listed
from sandbox.room.record.moments import Line
from sandbox.room.record.recordings import Recording, Signals
from sandbox.room.record.results import Period, Results, results
from sandbox.room.record.sheet import people_sheet, sheet
from sandbox.room.record.then import Then
from sandbox.warroom import callers, past

replays = APIRouter(prefix="/api/v1")
At = Annotated[int, Query(ge=1, le=2**53, description="seq of the event after which the room is shown")]


Since = Annotated[datetime | None, Query(description="sessions that began since then; without a zone: UTC")]
Rows = Annotated[Literal["sessions", "people"], Query(description="what a row is of")]
Of = Annotated[str | None, Query(max_length=100, description="id of a scenario")]


class Replay(BaseModel):
    """What there is to step through. name: a room's code or a drill's id. n: of events. world_rate: world seconds per wall
    second, as it was played."""

    name: str
    kind: str
    title: str
    backend: str
    briefing: str
    began_ts: float
    length_s: float
    world_rate: float
    n: int
    lines: list[Line]


@replays.get("/instructor/replays", tags=["instructor"])
async def recordings_there_are(request: Request) -> list[RecordingLine]:
    """Rooms there were and are, and drills that were answered in a terminal; the latest first, a hundred at most."""
    callers.require_instructor(request)
    return await anyio.to_thread.run_sync(listed)


@replays.get("/instructor/replays/{name}", tags=["instructor"])
async def instructor_replay(name: str, request: Request) -> Replay:
    """All that happened, a line each, with what was really done to the stack."""
    callers.require_instructor(request)
    return await anyio.to_thread.run_sync(lambda: _replay(past.read(name), instructor=True))


@replays.get("/instructor/replays/{name}/moment", tags=["instructor"])
async def instructor_moment(name: str, request: Request, seq: At) -> Moment:
    """The room as it was after that event, with what was really wrong by then."""
    callers.require_instructor(request)
    return await anyio.to_thread.run_sync(lambda: past.read(name).moment(seq, instructor=True))


@replays.get("/instructor/replays/{name}/then", tags=["instructor"])
async def instructor_then(name: str, request: Request, seq: At) -> Then:
    """What the overview showed after that event, and what the event was answered where it is a question; from the lake that
    was kept."""
    callers.require_instructor(request)
    at = callers.served(request)
    return await anyio.to_thread.run_sync(lambda: past.then(past.read(name), seq, at.lakes), limiter=at.past_threads)


@replays.get("/instructor/replays/{name}/signals", tags=["instructor"])
async def instructor_replay_signals(name: str, request: Request) -> Signals:
    """The golden signals of the whole drill, name -> [world_ts, value] by minute; empty where its telemetry is gone."""
    callers.require_instructor(request)
    return await anyio.to_thread.run_sync(lambda: past.signals(past.read(name)))


@replays.get("/rooms/{code}/replay", tags=["participants"])
async def replay(code: str, request: Request) -> Replay:
    """As the instructor's, of one's own room, once it is in its debrief."""
    found = await anyio.to_thread.run_sync(past.debriefed, request, code)
    return await anyio.to_thread.run_sync(lambda: _replay(found, instructor=False))


@replays.get("/rooms/{code}/replay/moment", tags=["participants"])
async def moment(code: str, request: Request, seq: At) -> Moment:
    """As the instructor's, of one's own room, once it is in its debrief."""
    found = await anyio.to_thread.run_sync(past.debriefed, request, code)
    return await anyio.to_thread.run_sync(lambda: found.moment(seq, instructor=False))


@replays.get("/rooms/{code}/replay/then", tags=["participants"])
async def replay_then(code: str, request: Request, seq: At) -> Then:
    """As the instructor's, of one's own room, once it is in its debrief."""
    at, found = callers.served(request), await anyio.to_thread.run_sync(past.debriefed, request, code)
    return await anyio.to_thread.run_sync(past.then, found, seq, at.lakes, limiter=at.past_threads)


@replays.get("/instructor/results", tags=["instructor"])
async def instructor_results(
    request: Request, since: Since = None, scenario: Of = None, by: Period = "week"
) -> Results:
    """What those who answered drills here can do, by skill, with intervals: rooms and terminals together."""
    callers.require_instructor(request)
    return await anyio.to_thread.run_sync(results, since, scenario, by)


@replays.get("/instructor/results.csv", tags=["instructor"], response_class=PlainTextResponse)
async def instructor_sheet(
    request: Request, since: Since = None, scenario: Of = None, rows: Rows = "sessions"
) -> PlainTextResponse:
    """A row for each session, or for each person in each session."""
    callers.require_instructor(request)
    write = people_sheet if rows == "people" else sheet
    text = await anyio.to_thread.run_sync(lambda: write(results(since, scenario)))
    headers = {"content-disposition": f'attachment; filename="{rows}.csv"', "x-content-type-options": "nosniff"}
    return PlainTextResponse(text, media_type="text/csv", headers=headers)


@replays.get("/rooms/{code}/replay/signals", tags=["participants"])
async def replay_signals(code: str, request: Request) -> Signals:
    """As the instructor's, of one's own room, once it is in its debrief."""
    at, found = callers.served(request), await anyio.to_thread.run_sync(past.debriefed, request, code)
    return await anyio.to_thread.run_sync(past.signals, found, limiter=at.past_threads)


def _replay(found: Recording, *, instructor: bool) -> Replay:
    opened = found.opened
    return Replay(
        name=found.name, kind=found.kind, title=opened.title, backend=opened.backend, briefing=opened.briefing,
        began_ts=opened.began_ts, length_s=opened.length_s, world_rate=opened.world_rate, n=len(found.events),
        lines=found.lines(instructor=instructor),
    )  # fmt: skip
