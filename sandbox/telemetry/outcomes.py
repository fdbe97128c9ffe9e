"""Outcomes into the lake, each once, from two ways: rows sent as telemetry, and the journal that outlives its writer.

services.events.journal says why there are two. Whichever comes first counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base.schema import TABLES
from sandbox.telemetry.manifest import read_manifest

TABLE = "outcomes"
REMEMBERED = 200_000  # ids in memory, about 20 MB: hours of feedback, and rows of both ways come within seconds
MOST_BYTES = 4 << 20  # of the journal in one look
_ID = TABLES[TABLE].names.index("event_id")
Rows = list[Sequence[Any]]


class Outcomes:
    """What is known of events. recorded: ids that the lake has. journal: the file, which may come to be later."""

    def __init__(self, journal: Path, recorded: Iterable[str]) -> None:
        self._journal, self._at = journal, 0
        self._known = dict.fromkeys(recorded)
        self._caught_up = False

    def fresh(self, rows: Iterable[Sequence[Any]]) -> Rows:
        """Those whose events were not there yet; an event without an id is always new."""
        found: Rows = []
        for row in rows:
            event_id = row[_ID]
            if event_id and event_id in self._known:
                continue
            if event_id:
                self._known[event_id] = None
            found.append(row)
        # What an earlier collector left is told from the whole journal, so nothing is forgotten until that is read.
        while self._caught_up and len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return found

    def tail(self) -> Rows:
        """New rows of the journal since the last look. A line that is still being written waits for the next one; one
        that a killed process left half is passed over."""
        try:
            with self._journal.open("rb") as file:
                file.seek(self._at)
                text = file.read(MOST_BYTES)
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        self._caught_up = len(text) < MOST_BYTES
        return self.fresh(row for line in whole.splitlines() if (row := _row(line)) is not None)


def _row(line: bytes) -> Sequence[Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, list) and len(row) == len(TABLES[TABLE].names) else None


def recorded(lake: Path) -> list[str]:
    """Ids of the outcomes that a lake has; none where there is no lake that can be read."""
    try:
        segments = read_manifest(lake).get(TABLE, [])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    found: list[str] = []
    for segment in segments:
        try:
            found += pq.read_table(lake / segment.file, columns=["event_id"])["event_id"].to_pylist()
        except (OSError, pa.ArrowException):
            continue
    return found
