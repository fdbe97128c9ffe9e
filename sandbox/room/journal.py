"""The journal of a room: append-only lines of JSON, each one on disk before anybody is told of it.

It is the only state of a room. It holds what was done there and, before the debrief, none of the truth, which lies, sealed,
in the journal of its drill.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from sandbox.base.errors import SandboxError
from sandbox.base.lines import append_line
from sandbox.room.events import Event


class RoomJournal:
    """path: the file; made when first written to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: Event) -> None:
        """Returns when it is on disk. Raises OSError on a full disk; the file is then as it was."""
        append_line(self.path, event.model_dump_json().encode(), sync=True)

    def read(self) -> list[Event]:
        """All events in order. A last line that was cut off counts as never written: nobody was told of it.

        Raises ROOM-008 for one that is damaged elsewhere: a room with a hole is not the room that it was.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        lines = [line for line in lines if line]
        events: list[Event] = []
        for n, line in enumerate(lines, 1):
            try:
                told = json.loads(line)
            except ValueError:
                continue  # cut off by a crash, and whole lines after it; anything worse leaves a gap in the numbers
            try:
                event = Event.model_validate(told)
            except ValidationError:
                raise self._damaged(n, "a line that is no event") from None
            if event.seq != len(events) + 1:
                raise self._damaged(n, f"event {event.seq} after {len(events)}")
            events.append(event)
        return events

    def _damaged(self, line: int, seen: str) -> SandboxError:
        return SandboxError(
            "ROOM-008",
            where=f"{self.path}, line {line}",
            seen=seen,
            expected="events one after the other",
            fix="open another room; this one can be read by hand",
        )
