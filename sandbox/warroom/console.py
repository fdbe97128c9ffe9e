"""The instructor's calls that only look: all rooms at once, what can be armed by hand, ready-made sets of injects."""

from __future__ import annotations

from typing import Any

import anyio
from fastapi import APIRouter, Request

from sandbox.room.twists import catalogue, sets, view
from sandbox.room.twists.catalogue import Armable
from sandbox.room.twists.sets import Sets
from sandbox.room.twists.view import RoomView
from sandbox.warroom import callers

console = APIRouter(prefix="/api/v1/instructor", tags=["instructor"])


@console.get("/view")
async def rooms_view(request: Request) -> list[RoomView]:
    """One line for each room: where it stands, who is quiet, who looks at the wrong place, what it scored."""
    at = _instructors(request)
    return await anyio.to_thread.run_sync(lambda: [view.view_of(room) for room in at.rooms.values()])


@console.get("/faults")
async def faults(request: Request) -> list[Armable]:
    """Everything that can be armed by hand, with its knobs and an example."""
    _instructors(request)
    return list(await anyio.to_thread.run_sync(catalogue.armable))


@console.get("/inject-sets")
async def inject_sets(request: Request) -> Sets:
    """Ready-made sets of injects, the program's and one's own; of those that cannot be used, why."""
    _instructors(request)
    return await anyio.to_thread.run_sync(sets.all_sets)


def _instructors(request: Request) -> Any:
    callers.require_instructor(request)
    at = callers.served(request)
    at.rates.spend(("read", "", "instructor"), at.settings.reads, "reads of the instructor")
    return at
