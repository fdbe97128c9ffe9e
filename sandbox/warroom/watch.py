"""The overview of one room for all streams that watch it: looked for once, encoded once, told as what is new."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sandbox.room.overview import Overview
from sandbox.room.overview_delta import delta

KIND = "overview"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """One message to all who watch, encoded once. n: its number, from 1; text: `{kind, n, whole, …}`."""

    n: int
    text: str


class Watched:
    """look: finds the overview of now. every_s: wall seconds between two looks, for as long as somebody watches. Of one event
    loop, as all who watch are."""

    def __init__(self, look: Callable[[], Awaitable[Overview]], every_s: float) -> None:
        self._look, self._every_s = look, every_s
        self._seen = Overview(world_ts=0.0)
        self._new, self._whole = Frame(0, ""), Frame(0, "")
        self._wakes: dict[Sight, Callable[[], object]] = {}
        self._task: asyncio.Task[None] | None = None

    def after(self, n: int) -> Frame | None:
        """For whoever has heard number n, 0 for nothing yet: what is new since, or all of it where they missed one. None
        where there is nothing new."""
        now = self._new.n
        if n == now:
            return None
        if n and n == now - 1:
            return self._new
        if self._whole.n != now:
            self._whole = _frame(now, True, self._seen.model_dump())
        return self._whole

    def join(self, sight: Sight, wake: Callable[[], object]) -> None:
        self._wakes[sight] = wake
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go())

    def leave(self, sight: Sight) -> None:
        self._wakes.pop(sight, None)

    async def _go(self) -> None:
        loop = asyncio.get_running_loop()
        while self._wakes:
            began = loop.time()
            try:
                self._tell(await self._look())
            except Exception:  # of the room's world, say; what was seen last stays, and the next look is soon
                _log.exception("an overview that is watched could not be looked for")
            await asyncio.sleep(max(0.0, began + self._every_s - loop.time()))
        self._task = None

    def _tell(self, seen: Overview) -> None:
        new = delta(self._seen, seen)
        if new is None and self._new.n:
            return
        self._seen = seen
        self._new = _frame(self._new.n + 1, False, new or {})
        for wake in tuple(self._wakes.values()):
            wake()


class Sight:
    """What one stream sees of it, while it is turned on."""

    def __init__(self, watched: Watched, *, on: bool = False) -> None:
        self._watched, self._n, self._is_on = watched, 0, on
        self._wake: Callable[[], object] | None = None

    def begin(self, wake: Callable[[], object]) -> None:
        """wake: called in the event loop when there is something to see."""
        self._wake = wake
        self.turn(self._is_on)

    def end(self) -> None:
        self._wake = None
        self._watched.leave(self)

    def turn(self, on: bool) -> None:
        """Whoever turns it on again sees what they missed: nothing, where they missed nothing, so that turning it fast costs
        nobody anything."""
        self._is_on = on
        if self._wake is None:
            return
        if on:
            self._watched.join(self, self._wake)
            self._wake()
        else:
            self._watched.leave(self)

    def next(self) -> Frame | None:
        """What it has not seen yet."""
        frame = self._watched.after(self._n) if self._is_on else None
        if frame is not None:
            self._n = frame.n
        return frame


def _frame(n: int, whole: bool, document: dict[str, Any]) -> Frame:
    told = {"kind": KIND, "n": n, "whole": whole, **document}
    return Frame(n, json.dumps(told, separators=(",", ":"), allow_nan=False))
