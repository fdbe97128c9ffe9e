"""The stream of one participant: what there is after an event, then what comes, and the time in between; with the overview
for as long as they watch it.

Nothing is queued for anybody: each stream reads the room's own events at its own pace, so that one that hangs costs nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from sandbox.room.room import Room
from sandbox.warroom.watch import KIND, Sight

CLOCK = "clock"


async def feed(
    room: Room, who: str, after: int, clock_s: float, sight: Sight
) -> AsyncIterator[tuple[int | None, str, str]]:
    """(seq, kind, text) of each event after that number that they may see; text: `{kind, seq, …}`. Without a number: on a
    quiet stream every `clock_s` wall seconds "clock", {seq, world_ts, world_rate, phase}, and what is seen of the overview,
    neither of which one needs to see twice. Ends when the participant is in the room no more."""
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop ends before the room does
            loop.call_soon_threadsafe(woken.set)

    unlisten = room.listen(wake)
    sight.begin(woken.set)
    try:
        yield None, CLOCK, _clock(room)
        told_at = loop.time()
        while True:
            woken.clear()
            told, after = room.events_after(after, who)
            for event in told:
                yield event["seq"], event["kind"], dumped({"kind": event["kind"], **event})
                told_at = loop.time()
            if told:
                continue
            if frame := sight.next():
                yield None, KIND, frame.text
            if loop.time() - told_at >= clock_s:
                yield None, CLOCK, _clock(room)
                told_at = loop.time()
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), max(0.0, told_at + clock_s - loop.time()))
    finally:
        sight.end()
        unlisten()


def sse(seq: int | None, kind: str, text: str) -> str:
    """One event as lines of an event stream."""
    head = "" if seq is None else f"id: {seq}\n"
    return f"{head}event: {kind}\ndata: {text}\n\n"


def dumped(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _clock(room: Room) -> str:
    shared = room.shared
    opened = shared.opened
    return dumped({
        "kind": CLOCK, "seq": shared.seq, "world_ts": room.now(), "phase": shared.phase.value,
        "world_rate": opened.world_rate * shared.speed if opened else 0.0,
    })  # fmt: skip
