"""Lakes of recordings as they were at a moment: a worker process each, of which the few that were asked last are kept.

One comes up in a second; whoever looks at a moment asks several things of it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.room.panels.asking import Asks
from sandbox.room.panels.keeper import Kept
from sandbox.room.record.recordings import Recording
from sandbox.telemetry.sql import SqlWorker

MOST = 2  # workers, 80 MB each
MOST_KEPT = 200  # documents, which do not change any more
_LONGEST = float("inf")


class Lakes:
    """One is asked at a time. Safe to use from several threads; close it."""

    def __init__(self) -> None:
        self._of: OrderedDict[tuple[Path, float], SqlWorker] = OrderedDict()
        self._kept: OrderedDict[object, Kept] = OrderedDict()
        self._turn = threading.Lock()

    @contextmanager
    def asked(self, lake: Path | None, until_ts: float) -> Iterator[SqlWorker]:
        """until_ts: world seconds since the epoch; what was written by then. Raises ROOM-003 where the lake is gone."""
        if lake is None or not lake.is_dir():
            raise SandboxError(
                "ROOM-003", where="recording", seen="a drill whose telemetry is gone", expected="its run directory",
                fix="see what was asked while it ran",
            )  # fmt: skip
        with self._turn:
            yield self._worker((lake, until_ts))

    def seen(self, found: Recording, until_ts: float, key: object, look: Callable[[Asks], Any]) -> Kept:
        """What `look` finds there, once for all of a recording that is at an end. Raises as `asked`, and what `look` does."""
        whole = (found.name, found.lake, until_ts, key)
        if (kept := self._kept.get(whole)) is not None:
            return kept
        with self.asked(found.lake, until_ts) as lake:
            if (kept := self._kept.get(whole)) is not None:  # while this one waited for its turn
                return kept
            kept = Kept(look(lake), 0.0, _LONGEST)
            if found.graded is not None:
                self._kept[whole] = kept
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return kept

    def close(self) -> None:
        with self._turn:
            while self._of:
                self._of.popitem()[1].close()

    def _worker(self, key: tuple[Path, float]) -> SqlWorker:
        worker = self._of.pop(key, None) or SqlWorker(key[0], until_ts=key[1])
        self._of[key] = worker
        while len(self._of) > MOST:
            self._of.popitem(last=False)[1].close()
        return worker
