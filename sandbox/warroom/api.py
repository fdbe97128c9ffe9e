"""The calls under /api/v1: participants' and, with the secret, the instructor's. Nothing is decided here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from sandbox.base.errors import SandboxError
from sandbox.room.commands import AnyCommand, Join
from sandbox.room.documents import InstructorState, ObserverState, TraineeState
from sandbox.room.errands import ERRANDS
from sandbox.room.room import Room
from sandbox.room.twists.director import ORDERS
from sandbox.warroom import callers, problems
from sandbox.warroom.feed import dumped, feed, sse
from sandbox.warroom.watch import Sight

api = APIRouter(prefix="/api/v1")
Watch = Annotated[bool, Query(description="whether the overview comes with it, each time that something in it is new")]
After = Annotated[int, Query(ge=0, le=2**53, description="seq of the last event that was seen; 0 for all")]
Caller = Callable[[HTTPConnection, str], tuple[Room, str]]
_REFUSED = 4000  # of a WebSocket: its reason is the error's code


class Joined(BaseModel):
    """participant: id in the room. token: for `Authorization: Bearer`; the cookie says the same."""

    participant: str
    token: str


class Done(BaseModel):
    """seq: of the event that tells what came of a command."""

    seq: int


class RoomLine(BaseModel):
    """A room in the instructor's list."""

    code: str
    title: str
    backend: str
    phase: str
    participants: int
    seq: int
    world_ts: float


@api.post("/rooms/{code}/join", tags=["participants"])
async def join(code: str, who: Join, request: Request, response: Response) -> Joined:
    """Comes in. The token is good for half a day, and so is the cookie that says the same."""
    at = callers.served(request)
    room = at.room(code)
    at.rates.spend(("join", room.code), at.settings.joins, "joins of a room")
    person = await anyio.to_thread.run_sync(room.join, who)
    token = at.token(room.code, person.participant)
    callers.remember(response, request, callers.cookie_name(room.code), token)
    return Joined(participant=person.participant, token=token)


@api.get("/rooms/{code}/state", tags=["participants"], response_model=TraineeState | ObserverState)
async def state(code: str, request: Request) -> JSONResponse:
    """All that this participant may see."""
    return await _state(request, *callers.participant(request, code))


@api.post("/rooms/{code}/commands", tags=["participants"])
async def command(code: str, command: AnyCommand, request: Request) -> Done:
    """Returns when it is done; what came of it is the event of that number."""
    return await _submit(request, *callers.participant(request, code), command)


@api.get("/rooms/{code}/events", tags=["participants"], response_class=StreamingResponse)
async def events(code: str, request: Request, resume_from: After = 0, watch: Watch = False) -> StreamingResponse:
    """Server-sent events after `resume_from`, or after the header Last-Event-ID. The same over WebSocket, where whoever sends
    `watch` has the overview come with it from then on, and not any more who sends `rest`."""
    return _stream(request, *callers.participant(request, code), resume_from, watch)


@api.websocket("/rooms/{code}/events")
async def events_socket(socket: WebSocket, code: str, resume_from: After = 0, watch: Watch = False) -> None:
    await _socket(socket, code, callers.participant, resume_from, watch)


@api.get("/instructor/rooms", tags=["instructor"])
async def rooms(request: Request) -> list[RoomLine]:
    """All rooms of the server."""
    callers.require_instructor(request)
    return [room_line(room) for room in callers.served(request).rooms.values()]


@api.get("/instructor/rooms/{code}/state", tags=["instructor"], response_model=InstructorState)
async def instructor_state(code: str, request: Request) -> JSONResponse:
    """What the participants see, what the instructor noted, and the truth."""
    return await _state(request, *callers.instructor(request, code))


@api.post("/instructor/rooms/{code}/commands", tags=["instructor"])
async def instructor_command(code: str, command: AnyCommand, request: Request) -> Done:
    """As a participant's, with the instructor's rights."""
    return await _submit(request, *callers.instructor(request, code), command)


@api.get("/instructor/rooms/{code}/events", tags=["instructor"], response_class=StreamingResponse)
async def instructor_events(
    code: str, request: Request, resume_from: After = 0, watch: Watch = False
) -> StreamingResponse:
    """As a participant's, with what is the instructor's alone."""
    return _stream(request, *callers.instructor(request, code), resume_from, watch)


@api.websocket("/instructor/rooms/{code}/events")
async def instructor_socket(socket: WebSocket, code: str, resume_from: After = 0, watch: Watch = False) -> None:
    await _socket(socket, code, callers.instructor, resume_from, watch)


async def _state(request: Request, room: Room, who: str) -> JSONResponse:
    callers.reads(request, room, who)
    return JSONResponse(await anyio.to_thread.run_sync(room.state, who))


async def _submit(request: Request, room: Room, who: str, command: Any) -> Done:
    at = callers.served(request)
    at.rates.spend(("command", room.code, who), at.settings.commands, "commands of one participant")
    # What waits for a desk waits apart: the threads that others' chat needs stay free.
    waits = {"ask": at.ask_threads, **dict.fromkeys((*ERRANDS, *ORDERS), at.desk_threads)}
    limiter = waits.get(command.kind)
    return Done(seq=await anyio.to_thread.run_sync(room.submit, who, command, limiter=limiter))


def _stream(request: Request, room: Room, who: str, after: int, watch: bool) -> StreamingResponse:
    at = callers.served(request)
    room.events_after(after, who, 0)  # refused before the answer has begun
    last = request.headers.get("last-event-id", "")
    after = max(after, int(last)) if last.isdecimal() and len(last) < 16 else after
    with at.stream(room.code, who):
        pass  # refused before the answer has begun, too

    async def lines() -> AsyncIterator[str]:
        with suppress(SandboxError), at.stream(room.code, who):  # ends for whoever leaves the room
            async for event in feed(room, who, after, at.settings.clock_s, at.sight(room, on=watch)):
                yield sse(*event)

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


async def _socket(socket: WebSocket, code: str, caller: Caller, after: int, watch: bool) -> None:
    """Each event as one text message {kind, seq, …}; what is read is whether they watch the overview."""
    await socket.accept()
    at = callers.served(socket)
    try:
        room, who = caller(socket, code)
        with at.stream(room.code, who):
            sight = at.sight(room, on=watch)
            await _send(socket, feed(room, who, after, at.settings.clock_s, sight), sight)
    except SandboxError as error:
        await _refuse(socket, error)
    except WebSocketDisconnect:
        return


async def _send(socket: WebSocket, events: AsyncIterator[tuple[int | None, str, str]], sight: Sight) -> None:
    gone = asyncio.ensure_future(_hears(socket, sight))
    try:
        async for _, _, text in events:
            if gone.done():
                return
            await socket.send_text(text)
    finally:
        gone.cancel()


async def _hears(socket: WebSocket, sight: Sight) -> None:
    """Until they are gone. What is none of the two words is passed over."""
    with suppress(WebSocketDisconnect):
        while True:
            word = await socket.receive_text()
            if word in ("watch", "rest"):
                sight.turn(word == "watch")


async def _refuse(socket: WebSocket, error: SandboxError) -> None:
    await socket.send_text(dumped({"kind": "problem", **problems.document(error, socket.url.path)}))
    await socket.close(_REFUSED, error.kind.code)


def room_line(room: Room) -> RoomLine:
    """The room as the instructor's list has it."""
    opened = room.shared.opened
    return RoomLine(
        code=room.code, title=opened.title if opened else "", backend=opened.backend if opened else "",
        phase=room.shared.phase.value, participants=len(room.shared.here()), seq=room.shared.seq, world_ts=room.now(),
    )  # fmt: skip
