"""Panels of one room, each looked up again once it is old: looks come from many, and the console has others' questions to answer."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pydantic_core

from sandbox.base.errors import SandboxError
from sandbox.room.panels.asking import Asks
from sandbox.room.room import Room
from sandbox.telemetry.sql import MAX_ROWS, Result

MOST_KEPT = 64  # documents of a room; a megabyte or two
_SHARE = 0.25  # of the console's time that one panel may take
ALL_SHARE = 0.4  # of it that all of them together may
BURST_S = 12.0  # of it at once, after a while in which nobody looked


@dataclass(frozen=True)
class Kept:
    """What was found, for as long as it is good, `good_s` from `at`."""

    document: Any
    at: float
    good_s: float

    @cached_property
    def body(self) -> bytes:
        """As it goes out, made once for all."""
        return pydantic_core.to_json(self.document)

    @cached_property
    def tag(self) -> str:
        """The same for as long as it says the same."""
        return hashlib.sha256(self.body).hexdigest()[:20]


class Panels:
    """clock: monotonic seconds. every_s: of the clock, for which a document is good; longer where it took long to make."""

    def __init__(self, room: Room, clock: Callable[[], float], every_s: float) -> None:
        self._room, self._clock, self._every_s = room, clock, every_s
        self._turn, self._took_s = threading.Lock(), 0.0
        self._left_s, self._counted_at = BURST_S, clock()
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def seen(self, key: Hashable, look: Callable[[Asks], Any]) -> Kept:
        """What was found under that key a moment ago, else what `look` finds now. Nothing of it is noted as a query.

        Where looks take too much of the console, what was found the last time. Raises ROOM-003 where the drill is over and its
        telemetry gone, ROOM-005 where nothing was found yet and there is no time to look, and what `look` raises.
        """
        kept = self._fresh(key)
        if kept is not None:
            return kept
        with self._turn:
            return self._fresh(key) or self._look(key, look)

    def query(self, sql: str, *, max_rows: int = MAX_ROWS) -> Result:
        """One query by itself: what others want of the desk comes in between. For `look`."""
        result, took_s = self._room.look_up(sql, max_rows)
        self._took_s += took_s
        return result

    def _fresh(self, key: Hashable) -> Kept | None:
        kept = self._kept.get(key)
        return kept if kept is not None and self._clock() - kept.at < kept.good_s else None

    def _look(self, key: Hashable, look: Callable[[Asks], Any]) -> Kept:
        before = self._kept.get(key)
        if not self._has_time():
            if before is None:
                raise SandboxError(
                    "ROOM-005", where=f"room {self._room.code}, panels", seen="looks that take more of the desk than they may",
                    expected=f"{ALL_SHARE:.0%} of its time", fix="wait a few seconds; a shorter window costs less",
                )  # fmt: skip
            return before
        self._took_s = 0.0
        try:
            document = look(self)
        finally:
            self._left_s -= self._took_s
        kept = Kept(document, self._clock(), max(self._every_s, self._took_s / _SHARE))
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept

    def _has_time(self) -> bool:
        """Whether some of the desk's time is left for looks."""
        now = self._clock()
        self._left_s = min(BURST_S, self._left_s + (now - self._counted_at) * ALL_SHARE)
        self._counted_at = now
        return self._left_s > 0
