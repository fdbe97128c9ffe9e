"""What a trainee did and wrote so far, kept beside the journal, so that a shell that is closed, or that
crashes, loses nothing.

drills/<id>/asked.jsonl  queries that were answered, from which a report quotes, and other looks, with their times
drills/<id>/draft.json   answers given to the report's questions before it was filed
drills/<id>/moves.jsonl  of a virtual drill: each thing that moved its world, in order
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.base.lines import append_line
from sandbox.base.run import write_atomically

Move = list[Any]  # ["until", world seconds], ["act", text] or ["probe", user]


@dataclass(frozen=True)
class Look:
    """A look at what was measured. text: the query, or the command as it was typed. is_query: which of both.
    world_ts: world seconds since the epoch, wall_ts: `time.time()`; None where they were not noted."""

    text: str
    is_query: bool = True
    world_ts: float | None = None
    wall_ts: float | None = None


class Notebook:
    """directory: the drill's own."""

    def __init__(self, directory: Path, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._asked, self._draft = directory / "asked.jsonl", directory / "draft.json"
        self._moves = directory / "moves.jsonl"

    def asked(self) -> list[str]:
        """Queries in the order in which they were asked."""
        return [look.text for look in self.looks() if look.is_query]

    def looks(self) -> list[Look]:
        """Queries and other looks in their order. Notebooks of before have a query's text alone."""
        return [look for line in _lines(self._asked) if (look := _look(line)) is not None]

    def note_look(self, text: str, world_ts: float, is_query: bool = True) -> None:
        append_line(self._asked, json.dumps(asdict(Look(text, is_query, world_ts, self._wall()))).encode())

    def moves(self) -> list[Move]:
        return [line for line in _lines(self._moves) if isinstance(line, list) and len(line) == 2]

    def note_move(self, what: str, argument: Any) -> None:
        append_line(self._moves, json.dumps([what, argument]).encode())

    def draft(self) -> dict[str, Any]:
        """Empty when there is none that could be read."""
        try:
            found = json.loads(self._draft.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def keep_draft(self, draft: dict[str, Any]) -> None:
        write_atomically(self._draft, json.dumps(draft))


def _look(line: Any) -> Look | None:
    try:
        look = Look(line) if isinstance(line, str) else Look(**line)
    except TypeError:
        return None
    return look if isinstance(look.text, str) else None


def _lines(path: Path) -> list[Any]:
    """A line that was cut off counts as never written."""
    found = []
    try:
        raw = path.read_text(errors="replace")
    except OSError:
        return []
    for line in raw.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
