"""What a trainee did and wrote so far, kept beside the journal, so that a shell that is closed, or that
crashes, loses nothing.

drills/<id>/asked.jsonl  queries that were answered, from which a report quotes
drills/<id>/draft.json   answers given to the report's questions before it was filed
drills/<id>/moves.jsonl  of a virtual drill: each thing that moved its world, in order
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.base.lines import append_line
from sandbox.base.run import write_atomically

Move = list[Any]  # ["until", world seconds], ["act", text] or ["probe", user]


class Notebook:
    """directory: the drill's own."""

    def __init__(self, directory: Path) -> None:
        self._asked, self._draft = directory / "asked.jsonl", directory / "draft.json"
        self._moves = directory / "moves.jsonl"

    def asked(self) -> list[str]:
        """Queries in the order in which they were asked."""
        return [line for line in _lines(self._asked) if isinstance(line, str)]

    def note_asked(self, sql: str) -> None:
        append_line(self._asked, json.dumps(sql).encode())

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
