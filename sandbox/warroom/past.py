"""Recordings as calls that look back read them: once for many steps, and what is asked of their lakes once for all."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from starlette.requests import HTTPConnection

from sandbox.room.record import recordings
from sandbox.room.record.recordings import Recording
from sandbox.room.record.then import then as told_then
from sandbox.warroom import callers

_KEPT = 4  # recordings that are read once for many steps
_KEPT_MOMENTS = 200
T = TypeVar("T")


def debriefed(request: HTTPConnection, code: str) -> Recording:
    """Raises ROOM-003 before the debrief: what is to be learned from looking back is not for now."""
    room, who = callers.participant(request, code)
    callers.reads(request, room, who)
    room.events_after(0, who, 0)  # refused for whoever is in the room no more
    return recordings.of_served(room)


class _Kept:
    """Recordings that were read, by their name, for as long as their files are as they were; of those
    that are at an end."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[object, Recording]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Recording:
        sign = recordings.sign(name)
        with self._lock:
            kept = self._of.get(name)
        if kept is not None and kept[0] == sign:
            return kept[1]
        found = recordings.recording(name)
        if found.graded is None:  # what is done to its stack is news of no file here
            return found
        with self._lock:
            self._of[name] = (sign, found)
            self._of.move_to_end(name)
            while len(self._of) > _KEPT:
                self._of.popitem(last=False)
        return found


class _Asked(Generic[T]):
    """What is asked of the lakes of recordings that are at an end, once however many look, and one at a time. most: answers
    that are kept."""

    def __init__(self, ask: Callable[..., T], most: int) -> None:
        self._ask, self._most = ask, most
        self._of: OrderedDict[object, T] = OrderedDict()
        self._turn = threading.Lock()

    def __call__(self, found: Recording, *more: Any) -> T:
        key = (found.name, found.lake, more)
        with self._turn:
            if found.graded is None:
                return self._ask(found, *more)
            if key not in self._of:
                self._of[key] = self._ask(found, *more)
                while len(self._of) > self._most:
                    self._of.popitem(last=False)
            return self._of[key]


read = _Kept()
signals = _Asked(lambda found: found.signals(), _KEPT)
then = _Asked(told_then, _KEPT_MOMENTS)
