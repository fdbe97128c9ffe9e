"""The stream of one participant: what there is after an event, then what comes, and the time in between.

Nothing is queued for anybody: each stream reads the room's own events at its own pace, so that one that hangs costs nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from sandbox.room.room import Room


async def feed(room: Room, who: str, after: int, clock_s: float) -> AsyncIterator[tuple[int | None, str, Any]]:
    """(seq, kind, document) of each event after that number that they may see. On a quiet stream every `clock_s` wall
    seconds (None, "clock", {seq, world_ts, world_rate, phase}), which no one needs to see twice. Ends when the
    participant is in the room no more."""
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop ends before the room does
            loop.call_soon_threadsafe(woken.set)

    unlisten = room.listen(wake)
    try:
        yield None, "clock", _clock(room)
        while True:
            woken.clear()
            told, after = room.events_after(after, who)
            for event in told:
                yield event["seq"], event["kind"], event
            if told:
                continue
            try:
                await asyncio.wait_for(woken.wait(), clock_s)
            except TimeoutError:
                yield None, "clock", _clock(room)
    finally:
        unlisten()


def sse(seq: int | None, kind: str, document: Any) -> str:
    """One event as lines of an event stream."""
    head = "" if seq is None else f"id: {seq}\n"
    return f"{head}event: {kind}\ndata: {dumped(document)}\n\n"


def dumped(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _clock(room: Room) -> dict[str, Any]:
    shared = room.shared
    opened = shared.opened
    return {
        "seq": shared.seq, "world_ts": room.now(), "phase": shared.phase.value,
        "world_rate": opened.world_rate * shared.speed if opened else 0.0,
    }  # fmt: skip
