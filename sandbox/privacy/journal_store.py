"""Feedback that waits in a run's journal for the lake (services.events.journal): lines of rows, written to meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.base.schema import TABLES
from sandbox.privacy.columns import USER, Who
from sandbox.privacy.files import Rows

_NAMES = TABLES["outcomes"].names
_USER = next(_NAMES.index(name) for name in USER if name in _NAMES)


@dataclass(frozen=True)
class JournalStore:
    name: str
    path: Path

    def count(self, who: Who) -> int:
        return sum(1 for _ in self._lines(who))

    def by_user(self, who: Who) -> dict[int, int]:
        return dict(Counter(row[_USER] for _, _, row in self._lines(who)))

    def rows(self, who: Who) -> Rows:
        return [dict(zip(_NAMES, row, strict=True)) for _, _, row in self._lines(who)]

    def erase(self, who: Who) -> None:
        """Blanks stand where the lines stood: whoever appends to the file, or knows how far it has read, goes on."""
        lines = [(at, size) for at, size, _ in self._lines(who)]
        with self.path.open("r+b") as file:
            for at, size in lines:
                file.seek(at)
                file.write(b" " * size)

    def _lines(self, who: Who) -> Iterator[tuple[int, int, list[Any]]]:
        """Where a line begins, its bytes without the end, its row; half a line is nobody's."""
        users, at = set(who.users.tolist()), 0
        with self.path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                if isinstance(row, list) and len(row) == len(_NAMES) and row[_USER] in users:
                    yield at, len(line.rstrip(b"\n")), row
                at += len(line)
