"""Calls for layers of the diagram: what the instructor has it show beside this room's own numbers."""

from __future__ import annotations

from fastapi import APIRouter, Request

from sandbox.base.errors import SandboxError
from sandbox.room.layers.failures import Commonly, commonly
from sandbox.room.room import Room
from sandbox.warroom import callers

layers = APIRouter(prefix="/api/v1")


@layers.get("/rooms/{code}/failures", tags=["participants"])
async def failures(code: str, request: Request) -> Commonly:
    """Where failures commonly occur, in any stack; 409 while the instructor has it off."""
    return _commonly(request, *callers.participant(request, code))


@layers.get("/instructor/rooms/{code}/failures", tags=["instructor"])
async def instructor_failures(code: str, request: Request) -> Commonly:
    """The same, also while it is off."""
    callers.instructor(request, code)
    return commonly()


def _commonly(request: Request, room: Room, who: str) -> Commonly:
    callers.reads(request, room, who)
    room.events_after(0, who, 0)  # refused for whoever is in the room no more
    if not room.shared.failures_shown:
        raise SandboxError(
            "ROOM-003", where="failures", seen="a room in which they are not shown", expected="one for training",
            fix="the instructor has it shown: show_failures",
        )  # fmt: skip
    return commonly()
