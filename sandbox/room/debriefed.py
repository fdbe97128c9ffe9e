"""The debrief of a room as a file, in each form that there is."""

from __future__ import annotations

import json
from typing import Any, Literal

from sandbox.base.errors import SandboxError
from sandbox.drill.debrief.document import debriefed
from sandbox.drill.debrief.markdown import incident_report
from sandbox.drill.debrief.page import page
from sandbox.drill.debrief.pdf import pdf
from sandbox.room.room import Room

Form = Literal["html", "md", "pdf", "json"]
MEDIA: dict[Form, str] = {
    "html": "text/html; charset=utf-8", "md": "text/markdown; charset=utf-8", "pdf": "application/pdf",
    "json": "application/json",
}  # fmt: skip


def file_of(room: Room, form: Form = "html") -> bytes:
    """As `sandbox drill debrief` writes it: html is one page that opens without network, pdf the same printed by a browser
    that is there. Raises ROOM-003 while the room is not graded yet, and as `pdf` where there is no browser."""
    grade = room.shared.grade
    if grade is None:
        raise SandboxError(
            "ROOM-003", where=f"room {room.code}, debrief", seen=f"a room that is {room.shared.phase}",
            expected="one in its debrief", fix="wait for the grade: an event of kind `graded`",
        )  # fmt: skip
    told: dict[str, Any] = debriefed(room.drill, dict(grade.document))
    match form:
        case "html":
            return page(told).encode()
        case "md":
            return incident_report(told).encode()
        case "json":
            return json.dumps(told, default=str).encode()
        case "pdf":
            return pdf(page(told))
