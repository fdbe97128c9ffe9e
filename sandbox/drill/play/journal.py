"""The journal of a drill: append-only lines of JSON, each one on disk before its writer goes on.

It is the only state of a drill: whoever wants to know where a drill stands replays it. It holds the
truth's doings too, so it lies in the drill's own directory, which no query can reach, and all that is not
public stands there sealed, line by line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sandbox.base.lines import append_line
from sandbox.drill.play.seal import Seal

# Kinds that a trainee may be shown; all others stay with the engine until the debrief.
PUBLIC = ("phase", "page", "hint", "action", "report")
_SEALED = b"~"  # begins a line that is sealed; JSON never does


@dataclass(frozen=True)
class Entry:
    """world_ts: world seconds since the epoch. wall_ts: `time.time()`. who: engine, trainee or
    colleague. what: phase, step, armed, disarmed, rearmed, page, hint, action, report, abandoned, grade or
    failure."""

    world_ts: float
    wall_ts: float
    who: str
    what: str
    fields: dict[str, Any] = field(default_factory=dict)


class Journal:
    """path: the file; made when first written to, with the key of its seal beside it. Several processes
    may append, each line whole."""

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        self.path, self._wall = path, wall
        self._kept_seal: Seal | None = None

    def append(self, world_ts: float, who: str, what: str, **fields: Any) -> Entry:
        """Write one entry and wait until it is on disk. Raises OSError on a full disk."""
        entry = Entry(world_ts, self._wall(), who, what, fields)
        line = plain(entry)
        if not _may_be_read(entry):
            line = _SEALED + self._seal.close(line).encode()
        append_line(self.path, line, sync=True)
        return entry

    def read(self) -> list[Entry]:
        """All entries in order. A line that was cut off counts as never written."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return [entry for line in raw.split(b"\n") if (entry := self._parse(line)) is not None]

    def damaged(self) -> int:
        """How many lines say nothing that could be read: a crash or a full disk cut them off."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        return sum(bool(line.strip()) and self._parse(line) is None for line in raw.split(b"\n"))

    @property
    def _seal(self) -> Seal:
        if self._kept_seal is None:
            self._kept_seal = Seal.beside(self.path.parent)
        return self._kept_seal

    def _parse(self, line: bytes) -> Entry | None:
        """None for a line that says nothing. A plain line counts whatever it says: journals of before."""
        try:
            if line.startswith(_SEALED):
                line = self._seal.open(line.removeprefix(_SEALED))
            return Entry(**json.loads(line))
        except (ValueError, TypeError):
            return None


def plain(entry: Entry) -> bytes:
    """An entry as a line of JSON."""
    return json.dumps(asdict(entry), separators=(",", ":"), default=str).encode()


def public(entries: list[Entry]) -> list[Entry]:
    """What the trainee may see while the drill runs."""
    return [entry for entry in entries if entry.what in PUBLIC]


def phase(entries: list[Entry]) -> str:
    """briefing, baseline, incident, report, debrief or failed: where a replay of the entries ends."""
    for entry in reversed(entries):
        if entry.what == "phase":
            return str(entry.fields["name"])
    return "briefing"


def first(entries: list[Entry], what: str, **fields: Any) -> Entry | None:
    """The first entry of that kind with those fields."""
    for entry in entries:
        if entry.what == what and all(entry.fields.get(k) == v for k, v in fields.items()):
            return entry
    return None


def _may_be_read(entry: Entry) -> bool:
    """What stands plain in the file. Why a driver gave up may name what it was to arm."""
    return entry.what in PUBLIC and entry.fields.get("name") != "failed"
