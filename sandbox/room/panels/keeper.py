"""Panels of one room, each looked up again once it is old: looks come from many, and the desk has other things to do."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from sandbox.base.errors import SandboxError
from sandbox.room.room import Room
from sandbox.telemetry.sql import SqlWorker

MOST_KEPT = 64  # documents of a room; a megabyte or two
_SHARE = 0.1  # of the desk's time that one panel may take
T = TypeVar("T")


@dataclass(frozen=True)
class _Kept:
    document: Any
    at: float
    good_s: float


class Panels:
    """clock: monotonic seconds. every_s: of the clock, for which a document is good; longer where it took long to make."""

    def __init__(self, room: Room, clock: Callable[[], float], every_s: float) -> None:
        self._room, self._clock, self._every_s = room, clock, every_s
        self._turn = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def seen(self, key: Hashable, look: Callable[[SqlWorker], T]) -> T:
        """What was found under that key a moment ago, else what `look` finds now. Nothing of it is noted as a query.

        Raises ROOM-003 once the drill is over, and what `look` raises.
        """
        kept = self._fresh(key)
        if kept is None:
            with self._turn:
                kept = self._fresh(key) or self._look(key, look)
        document: T = kept.document
        return document

    def _fresh(self, key: Hashable) -> _Kept | None:
        kept = self._kept.get(key)
        return kept if kept is not None and self._clock() - kept.at < kept.good_s else None

    def _look(self, key: Hashable, look: Callable[[SqlWorker], Any]) -> _Kept:
        began = self._clock()
        document = self._room.at_desk(lambda desk: look(desk.lake()))
        if document is None:
            raise SandboxError(
                "ROOM-003", where=f"room {self._room.code}", seen="its drill is over", expected="a drill that runs",
                fix="see the debrief, or what was asked while it ran",
            )  # fmt: skip
        at = self._clock()
        kept = _Kept(document, at, max(self._every_s, (at - began) / _SHARE))
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept
