"""Calls that look back: rooms and drills of before for the instructor; a room's own life for its team, from the debrief on.

A recording is read from disk, so the room need not be served any more.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Generic, TypeVar

import anyio
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from sandbox.room.documents import Moment
from sandbox.room.record import recordings
from sandbox.room.record.listing import RecordingLine, listed
from sandbox.room.record.moments import Line
from sandbox.room.record.recordings import Recording, Signals
from sandbox.room.record.results import Period, Results, results
from sandbox.room.record.sheet import sheet
from sandbox.room.record.then import Then, then
from sandbox.warroom import callers

replays = APIRouter(prefix="/api/v1")
At = Annotated[int, Query(ge=1, le=2**53, description="seq of the event after which the room is shown")]
_KEPT = 4  # recordings that are read once for many steps
_KEPT_MOMENTS = 200
T = TypeVar("T")


Since = Annotated[datetime | None, Query(description="sessions that began since then; without a zone: UTC")]
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
    return await anyio.to_thread.run_sync(lambda: _replay(_read(name), instructor=True))


@replays.get("/instructor/replays/{name}/moment", tags=["instructor"])
async def instructor_moment(name: str, request: Request, seq: At) -> Moment:
    """The room as it was after that event, with what was really wrong by then."""
    callers.require_instructor(request)
    return await anyio.to_thread.run_sync(lambda: _read(name).moment(seq, instructor=True))


@replays.get("/instructor/replays/{name}/then", tags=["instructor"])
async def instructor_then(name: str, request: Request, seq: At) -> Then:
    """What the overview showed after that event, and what the event was answered where it is a question; from the lake that
    was kept."""
    callers.require_instructor(request)
    at = callers.served(request)
    return await anyio.to_thread.run_sync(lambda: _then(_read(name), seq), limiter=at.past_threads)


@replays.get("/instructor/replays/{name}/signals", tags=["instructor"])
async def instructor_replay_signals(name: str, request: Request) -> Signals:
    """The golden signals of the whole drill, name -> [world_ts, value] by minute; empty where its telemetry is gone."""
    callers.require_instructor(request)
    return await anyio.to_thread.run_sync(lambda: _signals(_read(name)))


@replays.get("/rooms/{code}/replay", tags=["participants"])
async def replay(code: str, request: Request) -> Replay:
    """As the instructor's, of one's own room, once it is in its debrief."""
    found = await anyio.to_thread.run_sync(_debriefed, request, code)
    return await anyio.to_thread.run_sync(lambda: _replay(found, instructor=False))


@replays.get("/rooms/{code}/replay/moment", tags=["participants"])
async def moment(code: str, request: Request, seq: At) -> Moment:
    """As the instructor's, of one's own room, once it is in its debrief."""
    found = await anyio.to_thread.run_sync(_debriefed, request, code)
    return await anyio.to_thread.run_sync(lambda: found.moment(seq, instructor=False))


@replays.get("/rooms/{code}/replay/then", tags=["participants"])
async def replay_then(code: str, request: Request, seq: At) -> Then:
    """As the instructor's, of one's own room, once it is in its debrief."""
    at, found = callers.served(request), await anyio.to_thread.run_sync(_debriefed, request, code)
    return await anyio.to_thread.run_sync(_then, found, seq, limiter=at.past_threads)


@replays.get("/instructor/results", tags=["instructor"])
async def instructor_results(
    request: Request, since: Since = None, scenario: Of = None, by: Period = "week"
) -> Results:
    """What those who answered drills here can do, by skill, with intervals: rooms and terminals together."""
    callers.require_instructor(request)
    return await anyio.to_thread.run_sync(results, since, scenario, by)


@replays.get("/instructor/results.csv", tags=["instructor"], response_class=PlainTextResponse)
async def instructor_sheet(request: Request, since: Since = None, scenario: Of = None) -> PlainTextResponse:
    """A row for each session."""
    callers.require_instructor(request)
    text = await anyio.to_thread.run_sync(lambda: sheet(results(since, scenario)))
    headers = {"content-disposition": 'attachment; filename="results.csv"', "x-content-type-options": "nosniff"}
    return PlainTextResponse(text, media_type="text/csv", headers=headers)


@replays.get("/rooms/{code}/replay/signals", tags=["participants"])
async def replay_signals(code: str, request: Request) -> Signals:
    """As the instructor's, of one's own room, once it is in its debrief."""
    at, found = callers.served(request), await anyio.to_thread.run_sync(_debriefed, request, code)
    return await anyio.to_thread.run_sync(_signals, found, limiter=at.past_threads)


def _debriefed(request: Request, code: str) -> Recording:
    """Raises ROOM-003 before the debrief: what is to be learned from looking back is not for now."""
    room, who = callers.participant(request, code)
    callers.reads(request, room, who)
    room.events_after(0, who, 0)  # refused for whoever is in the room no more
    return recordings.of_served(room)


def _replay(found: Recording, *, instructor: bool) -> Replay:
    opened = found.opened
    return Replay(
        name=found.name, kind=found.kind, title=opened.title, backend=opened.backend, briefing=opened.briefing,
        began_ts=opened.began_ts, length_s=opened.length_s, world_rate=opened.world_rate, n=len(found.events),
        lines=found.lines(instructor=instructor),
    )  # fmt: skip


class _Kept:
    """Recordings that were read, by their name, for as long as their files are as they were; of those
    that are at an end."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[object, Recording]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Recording:
        sign = recordings.sign(name)
        with self._lock:
            kept = self._of.get(name)
        if kept is not None and kept[0] == sign:
            return kept[1]
        found = recordings.recording(name)
        if found.graded is None:  # what is done to its stack is news of no file here
            return found
        with self._lock:
            self._of[name] = (sign, found)
            self._of.move_to_end(name)
            while len(self._of) > _KEPT:
                self._of.popitem(last=False)
        return found


class _Asked(Generic[T]):
    """What is asked of the lakes of recordings that are at an end, once however many look: each costs a process for a second,
    and one is asked at a time. most: answers that are kept."""

    def __init__(self, ask: Callable[..., T], most: int) -> None:
        self._ask, self._most = ask, most
        self._of: OrderedDict[object, T] = OrderedDict()
        self._turn = threading.Lock()

    def __call__(self, found: Recording, *more: int) -> T:
        key = (found.name, found.lake, more)
        with self._turn:
            if found.graded is None:
                return self._ask(found, *more)
            if key not in self._of:
                self._of[key] = self._ask(found, *more)
                while len(self._of) > self._most:
                    self._of.popitem(last=False)
            return self._of[key]


_read = _Kept()
_signals = _Asked(lambda found: found.signals(), _KEPT)
_then = _Asked(then, _KEPT_MOMENTS)
