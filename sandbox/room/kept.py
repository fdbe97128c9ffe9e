"""Keeps a room's world going while it is served: a thread that ticks it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.base.errors import KINDS, SandboxError
from sandbox.room.room import Room

_log = logging.getLogger(__name__)
EVERY_S = 0.25  # wall seconds between two ticks


@contextmanager
def kept(room: Room, every_s: float = EVERY_S) -> Iterator[None]:
    """The room ticks until this is left. A world that fails ends its room, and no other."""
    stop = threading.Event()

    def keep() -> None:
        while not stop.wait(every_s):
            try:
                room.tick()
            except Exception as error:  # the edge of a thread: whatever it was, the room must say so
                if not stop.is_set():
                    _log.error("room %s: its world failed", room.code, exc_info=error)
                    code = error.kind.code if isinstance(error, SandboxError) else "RUN-008"
                    room.end_by_itself(f"its drill failed: {code} {KINDS[code].title}")
                return

    thread = threading.Thread(target=keep, name=f"keeps-{room.code}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30.0)
