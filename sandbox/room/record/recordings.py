"""Recordings on disk: of rooms by their code, of drills that were answered in a terminal by their name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sandbox.base.errors import SandboxError
from sandbox.drill.debrief.timeline import timeline
from sandbox.drill.play import drills, standing
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import Entry
from sandbox.drill.play.notebook import Notebook
from sandbox.room import house, truth
from sandbox.room.events import Event, Graded, Opened
from sandbox.room.overview import SIGNALS
from sandbox.room.record import drilled, moments
from sandbox.room.record.moments import Line
from sandbox.room.room import Room
from sandbox.telemetry.sql import SqlWorker

Kind = Literal["room", "drill"]
Signals = dict[str, list[tuple[float, float | None]]]  # name -> (world_ts, value), oldest first
_MOST_POINTS = 20_000
_SIGNALS = f"SELECT name, epoch(ts), value FROM metrics WHERE label = 'all' AND name IN {SIGNALS} ORDER BY name, ts"


@dataclass(frozen=True)
class Recording:
    """name: a room's code or a drill's id. scenario: its id. truth: as its drill has it now, for its instructor alone."""

    name: str
    kind: Kind
    scenario: str
    backend: str
    events: list[Event]
    truth: dict[str, Any] = field(repr=False)
    lake: Path | None = None  # its telemetry, where that is still there

    @property
    def opened(self) -> Opened:
        found = next((e.what for e in self.events if isinstance(e.what, Opened)), None)
        return found or Opened(
            title=self.name, briefing="", backend=self.backend, began_ts=self.events[0].world_ts, length_s=0.0,
            world_rate=1.0, held=False,
        )  # fmt: skip

    def event(self, seq: int) -> Event:
        """Of that number; the first or the last for one before or after all."""
        return self.events[min(max(1, seq), len(self.events)) - 1]

    @property
    def graded(self) -> Graded | None:
        """The grade, and with it the truth, once it is nobody's secret."""
        return next((e.what for e in reversed(self.events) if isinstance(e.what, Graded)), None)

    def known(self, *, instructor: bool) -> dict[str, Any]:
        """Of the truth: all that there is for an instructor, for others what came with the grade; else empty."""
        graded = self.graded
        return graded.truth if graded is not None and graded.truth else self.truth if instructor else {}

    def lines(self, *, instructor: bool) -> list[Line]:
        done = doings(self.known(instructor=instructor), self.opened.began_ts)
        return list(moments.lines(self.events, aside=instructor, done=done))

    def signals(self) -> Signals:
        """The golden signals of the whole drill, by minute; empty where its telemetry is gone."""
        if self.lake is None or not self.lake.is_dir():
            return {}
        told: Signals = {}
        with suppress(SandboxError), SqlWorker(self.lake) as lake:
            for name, ts, value in lake.query(_SIGNALS, max_rows=_MOST_POINTS).rows:
                told.setdefault(name, []).append((ts, value if value is not None and math.isfinite(value) else None))
        return told

    def moment(self, seq: int, *, instructor: bool) -> moments.Moment:
        return moments.moment(self.events, seq, self.known(instructor=instructor))


def recording(name: str) -> Recording:
    """Raises ROOM-001 where there is neither a room nor a drill of that name, ROOM-008, and DRILL-006 for a drill in a
    terminal that is not over, or never began."""
    deed = next((deed for deed in house.deeds() if deed.code == name.upper()), None)
    if deed is not None:
        drill = Drill(drills.root() / deed.drill)
        events = _some(house.journal_of(deed).read(), name)
        return Recording(deed.code, "room", deed.scenario, deed.backend, events, _told(drill), _lake(drill))
    drill = Drill(drills.root() / Path(name).name)
    if not (drill.directory / "plan.json").is_file():
        raise house.no_such(name)
    if not standing.is_over(drill):
        raise SandboxError(
            "DRILL-006", where="sandbox room replay", seen=f"phase {drill.phase}", expected="a drill that is over",
            fix="hand a report in first: sandbox drill report",
        )  # fmt: skip
    return of_drill(drill)


def of_served(room: Room) -> Recording:
    """Of a room that is served, for those in it. Raises ROOM-003 before its debrief."""
    shared = room.shared
    if shared.grade is None:
        raise SandboxError(
            "ROOM-003", where=f"room {room.code}, replay", seen=f"a room that is {shared.phase}",
            expected="one in its debrief", fix="wait for the grade: an event of kind `graded`",
        )  # fmt: skip
    opened = shared.opened
    return Recording(
        room.code, "room", "", opened.backend if opened else "", room.events, {}, _lake(room.drill)
    )  # fmt: skip


def sign(name: str) -> object:
    """Of what a recording is read from: the same while that is as it was."""
    named = Path(name).name
    return tuple(
        _stamp(path) for path in (
            house.root() / named.upper() / "journal.jsonl", drills.root() / named / "journal.jsonl",
            drills.root() / named / "grade.json",
        )
    )  # fmt: skip


def of_drill(drill: Drill) -> Recording:
    """Of a drill that is over. Raises DRILL-006 for one that never began."""
    plan, told = drill.plan, _told(drill)
    looks = Notebook(drill.directory).looks()
    events = drilled.events_of(drill.scenario, plan.backend, drill.entries(), looks, grade_of(drill), told)
    return Recording(
        plan.drill, "drill", drill.scenario.id, plan.backend, _some(events, plan.drill), told, _lake(drill)
    )


def grade_of(drill: Drill) -> dict[str, Any] | None:
    """That was reckoned with the drill's twin and kept; None where there is none."""
    with suppress(OSError, ValueError):
        found = json.loads((drill.directory / "grade.json").read_text())
        if isinstance(found, dict) and "score" in found:
            return found
    return None


def began_ts(drill: Drill, entries: list[Entry]) -> float:
    """When somebody began it, seconds since the epoch: by its journal, or its folder where that kept no wall clock, as of a
    world that nobody waited for. Raises IndexError for a journal in which nothing stands, OSError."""
    return entries[0].wall_ts or drill.directory.stat().st_mtime


def terminal_drills() -> Iterator[Drill]:
    """Drills that are over and were answered by a person without a room, the oldest first. Directories that hold none, or
    one of another format, are passed over."""
    of_rooms = {deed.drill for deed in house.deeds()}
    for path in sorted(drills.root().glob("*/plan.json"), key=lambda p: p.parent.name):
        drill = Drill(Path(path.parent))
        with suppress(SandboxError, OSError, ValueError):
            if drill.plan.drill not in of_rooms and not drill.plan.autopilot and standing.is_over(drill):
                yield drill


def doings(known: dict[str, Any], began_ts: float) -> list[dict[str, Any]]:
    """What was really done to the stack, in words: rows {world_ts, text}. known: of the truth, or empty."""
    entries = [
        Entry(
            row["world_ts"], 0.0, "engine", row["what"], {k: v for k, v in row.items() if k not in ("world_ts", "what")}
        )
        for row in known.get("done", ())
    ]
    rows = timeline(entries, (), began_ts)
    return [{"world_ts": began_ts + row["at_s"], "text": f"{row['what']}: {row['words']}"} for row in rows]


def _stamp(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    return None


def _lake(drill: Drill) -> Path | None:
    with suppress(SandboxError, OSError, ValueError):
        return Path(drill.plan.run_dir) / "lake"
    return None


def _told(drill: Drill) -> dict[str, Any]:
    """Empty where its drill was thrown away, or is of another format: what was said in the room is there all the same."""
    with suppress(SandboxError, OSError, ValueError):
        return truth.told(drill)
    return {}


def _some(events: list[Event], name: str) -> list[Event]:
    if not events:
        raise SandboxError(
            "DRILL-006", where=name, seen="a journal in which nothing happened", expected="one that began",
            fix="name another: sandbox room list",
        )  # fmt: skip
    return events
