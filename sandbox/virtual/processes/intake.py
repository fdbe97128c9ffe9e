"""The events service in virtual time: what users did and were shown, onto the stream and into the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandbox.base.catalogue import Catalogue
from sandbox.virtual.machine.fabric import CallError, Context, Fabric
from sandbox.virtual.processes.store import Store
from sandbox.virtual.processes.stream import Stream
from services.events import core
from services.events.core import IMPRESSIONS, Entry
from services.events.places import of_entries
from services.events.remembered import Remembered
from services.events.server import outcome_row
from services.skeleton.seams import Call

# (method, entries, context) -> which of them were taken in
Append = Callable[[str, list[Entry], Context], Awaitable[list[bool]]]


class Intake:
    """As services.events.server. The store compares no event ids: nothing here sends one twice."""

    def __init__(self, fabric: Fabric, store: Store, stream: Stream, catalogue: Catalogue) -> None:
        self.fabric, self.store, self.stream, self.catalogue = fabric, store, stream, catalogue
        self._noted = Remembered()

    async def append(self, op: str, entries: list[Entry], _: Context) -> list[bool]:
        """Takes a call's entries. Raises CallError: STORE-001, STORE-004 and what a wrapper raised."""
        seam = self.fabric.seams["events"].write
        if not seam:
            taken = self._take_in(entries)
        else:
            first, catalogue = entries[0], self.catalogue
            call = Call(
                "write", "events", core.STREAM, op, first.user, max(first.session, 0), payload=list(entries),
                attributes={"event_ts": max(e.ts for e in entries), "n": len(entries)},
                places=lambda of: of_entries(of, catalogue),
            )  # fmt: skip
            taken = await self.fabric.through(seam, call, self._proceed)
        self._note(entries, taken)
        return taken

    async def _proceed(self, call: Call) -> list[bool]:
        return self._take_in(call.payload)

    def _take_in(self, entries: list[Entry]) -> list[bool]:
        stream, loop = self.stream, self.fabric.loop
        if code := self.store.refusal(writing=True):
            raise CallError(code)
        if entries:
            stream.entries.extend(entries)
            stream.times.extend([loop.now] * len(entries))
            stream.written_ts = max([stream.written_ts, *(e.ts for e in entries)])
            loop.fire(stream.appended)
        return [True] * len(entries)

    def _note(self, entries: list[Entry], taken: list[bool]) -> None:
        """A row of outcomes for each event that was new, or that none was written of, as its sender told it."""
        record, now = self.fabric.record, self.fabric.world.now()
        if record is None:
            return
        for e, fresh in zip(entries, taken, strict=False):
            if e.kind != IMPRESSIONS and (fresh or e.event_id not in self._noted):
                self._noted.add(e.event_id)
                record("events", "outcomes", outcome_row(e, now, str(e.session)))
