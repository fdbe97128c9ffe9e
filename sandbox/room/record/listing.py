"""All recordings there are, a line each."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from pydantic import BaseModel

from sandbox.base.errors import SandboxError
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.standing import filed_report
from sandbox.room import house
from sandbox.room.house import Deed
from sandbox.room.record.recordings import began_ts, grade_of, terminal_drills

MOST = 100


class RecordingLine(BaseModel, frozen=True):
    """kind: room or drill. began: by the wall clock (UTC), ISO 8601. phase: of a room, or over. n: of people who were in
    it. score: None where there is no grade."""

    name: str
    kind: str
    scenario: str
    title: str
    backend: str
    began: str
    phase: str
    n: int
    score: float | None


def listed() -> list[RecordingLine]:
    """The latest first, at most MOST. What cannot be read is passed over."""
    found: list[RecordingLine] = []
    for deed in house.deeds()[-MOST:]:
        with suppress(SandboxError, OSError, ValueError):
            found.append(_of_room(deed))
    for drill in list(terminal_drills())[-MOST:]:
        with suppress(SandboxError, OSError, ValueError, IndexError):
            found.append(_of_drill(drill))
    return sorted(found, key=lambda line: line.began, reverse=True)[:MOST]


def _of_room(deed: Deed) -> RecordingLine:
    events = house.journal_of(deed).read()
    shared = house.folded(events)
    return RecordingLine(
        name=deed.code, kind="room", scenario=deed.scenario, title=shared.opened.title if shared.opened else "",
        backend=deed.backend, began=_when(events[0].wall_ts) if events else "", phase=shared.phase.value,
        n=len(shared.people), score=shared.grade.score if shared.grade else None,
    )  # fmt: skip


def _of_drill(drill: Drill) -> RecordingLine:
    plan, grade, entries = drill.plan, grade_of(drill), drill.entries()
    phase = "debrief" if grade is not None else "over"
    return RecordingLine(
        name=plan.drill, kind="drill", scenario=drill.scenario.id, title=drill.scenario.title, backend=plan.backend,
        began=_when(began_ts(drill, entries)),
        phase=phase if filed_report(entries) is not None else "given up", n=1,
        score=None if grade is None else float(grade["score"]),
    )  # fmt: skip


def _when(wall_ts: float) -> str:
    return datetime.fromtimestamp(wall_ts, UTC).isoformat(timespec="seconds")
