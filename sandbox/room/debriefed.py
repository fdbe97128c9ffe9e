"""The debrief of a room as a file: one HTML page that opens without network."""

from __future__ import annotations

from sandbox.base.errors import SandboxError
from sandbox.drill.debrief.document import debriefed
from sandbox.drill.debrief.page import page
from sandbox.room.room import Room


def page_of(room: Room) -> str:
    """As `sandbox drill debrief --html` has it. Raises ROOM-003 while the room is not graded yet."""
    grade = room.shared.grade
    if grade is None:
        raise SandboxError(
            "ROOM-003", where=f"room {room.code}, debrief", seen=f"a room that is {room.shared.phase}",
            expected="one in its debrief", fix="wait for the grade: an event of kind `graded`",
        )  # fmt: skip
    return page(debriefed(room.drill, dict(grade.document)))
