"""Feedback on disk before it is acknowledged: whatever process is killed afterwards, the collector finds it there.

Rows on their way to the lake wait in two processes' memory, some tenths of a second each. What was acknowledged must not
be lost with them. So each row stands as a line of one file first: a line that was handed to the operating system stays when
its process does not. The collector reads the lines and takes each event once (sandbox.telemetry.outcomes).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sandbox.base.rows import Row
from services.events.remembered import Remembered


class Journal:
    """Appends rows of outcomes to the file at `path`. A disk that takes nothing costs the safety, not the feedback."""

    def __init__(self, path: Path) -> None:
        self._path, self._file, self._written = path, -1, Remembered()

    def knows(self, event_id: str) -> bool:
        """Whether this process has written it. Of one that an earlier process took in, nobody knows whether that came to
        write it."""
        return event_id in self._written

    def write(self, rows: Sequence[tuple[str, Row]]) -> None:
        """rows: (event id, row), in one call to the operating system."""
        if not rows:
            return
        with suppress(OSError):
            if self._file < 0:
                self._file = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
                os.write(self._file, b"\n")  # an earlier process may have been killed within a line
            os.write(self._file, "".join(f"{json.dumps(row)}\n" for _, row in rows).encode())
        for event_id, _ in rows:
            self._written.add(event_id)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
