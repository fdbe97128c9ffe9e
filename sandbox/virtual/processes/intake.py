"""The events service in virtual time: what users did and were shown, onto the stream and into the log."""

from __future__ import annotations

from sandbox.virtual.machine.fabric import CallError, Context, Fabric
from sandbox.virtual.processes.store import Store
from sandbox.virtual.processes.stream import Stream
from services.events.core import IMPRESSIONS, Entry
from services.events.server import outcome_row
from services.skeleton.seams import Call


class Intake:
    """As services.events.server. Event ids are not compared: nothing here sends one twice."""

    def __init__(self, fabric: Fabric, store: Store, stream: Stream) -> None:
        self.fabric, self.store, self.stream = fabric, store, stream

    async def append(self, entries: list[Entry], _: Context) -> None:
        """Takes a call's entries. Raises CallError: STORE-001, STORE-004."""
        if code := self.store.refusal(writing=True):
            raise CallError(code)
        seam = self.fabric.seams["events"].write
        if not seam:
            self._take_in(entries)
            return
        first = entries[0]
        call = Call(
            "write", "events", "events", "Append", first.user, max(first.session, 0),
            payload=entries, attributes={"event_ts": max(e.ts for e in entries)},
        )  # fmt: skip
        await seam.run(call, self._proceed)

    async def _proceed(self, call: Call) -> list[bool]:
        return self._take_in(call.payload)

    def _take_in(self, entries: list[Entry]) -> list[bool]:
        stream, loop, record = self.stream, self.fabric.loop, self.fabric.record
        now = self.fabric.world.now()
        stream.entries.extend(entries)
        stream.times.extend([loop.now] * len(entries))
        stream.written_ts = max([stream.written_ts, *(e.ts for e in entries)])
        loop.fire(stream.appended)
        if record is not None:
            for e in entries:
                if e.kind != IMPRESSIONS:
                    record("events", "outcomes", outcome_row(e, now, str(e.session)))
        return [True] * len(entries)
