"""Calls about scenarios: what there is to play, and a room of it opened while the server runs. The instructor's alone."""

from __future__ import annotations

from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from sandbox.room.authoring import files
from sandbox.room.authoring.documents import Id, Library, Source, Whole
from sandbox.room.authoring.opening import opened
from sandbox.room.commands import ShowFailures
from sandbox.room.events import INSTRUCTOR
from sandbox.room.room import Room
from sandbox.warroom import callers
from sandbox.warroom.api import RoomLine, room_line
from sandbox.warroom.rooms import Served

library = APIRouter(prefix="/api/v1/instructor", tags=["instructor"])
Name = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,60}$", description="a scenario's id, as its file is called")]


class Opening(BaseModel, extra="forbid"):
    """A room that is to be opened. held: its world waits for the instructor, not for the first who joins. world, seed: others
    than the scenario's. twin: graded by the drill's twin. failures: the diagram shows where failures commonly occur: for training,
    not for exams."""

    scenario: Id
    backend: Literal["virtual", "live"] = "virtual"
    held: bool = False
    world: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)
    seed: int | None = Field(None, ge=0, lt=2**53)
    twin: bool = True
    failures: bool = False


def authors(request: Request) -> Served:
    """The server, for its instructor. Raises ROOM-004, and ROOM-005 for one call too many."""
    callers.require_instructor(request)
    at = callers.served(request)
    at.rates.spend("authors", at.settings.authors, "calls about scenarios")
    return at


@library.get("/library", response_model=Library)
async def scenarios(request: Request) -> Response:
    """All scenarios with briefing, difficulty, what they teach and their proof; and the files that are refused, with why."""
    at = authors(request)
    found = await anyio.to_thread.run_sync(at.reader.ask, "library")
    return Response(Library(**found).model_dump_json(), media_type="application/json")


@library.get("/library/{name}", response_model=Whole)
async def scenario(name: Name, request: Request) -> Whole:
    """One with its truth: its timeline as numbers to draw, and the whole proof that is kept."""
    at = authors(request)
    return Whole(**await anyio.to_thread.run_sync(lambda: at.reader.ask("whole", name=name)))


@library.get("/library/{name}/source")
async def source(name: Name, request: Request) -> Source:
    """Its file, with the version that a save names."""
    authors(request)
    return await anyio.to_thread.run_sync(files.source, name)


@library.post("/rooms")
async def open_room(opening: Opening, request: Request) -> RoomLine:
    """A new room of a scenario. It is served as those that were there at the start, and taken up again with them."""
    at = authors(request)
    asked = opening.model_dump(exclude={"scenario", "backend", "failures"})

    def added() -> Room:  # on one thread, so that a room that is opened is kept, whatever becomes of who asked
        room = opened(opening.scenario, opening.backend, **asked)
        at.add(room)
        return room

    with at.one_more_room():
        # Several virtual ones side by side, each beginning its world on a core; live ones one after the other.
        async with at.opening[opening.backend]:
            room = await anyio.to_thread.run_sync(added)
    if opening.failures:
        await anyio.to_thread.run_sync(room.submit, INSTRUCTOR, ShowFailures(kind="show_failures", on=True))
    return room_line(room)
