"""The events service: feedback and impressions into the event stream and the lake, each event once."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import islice
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.rows import Row, row_of
from sandbox.base.tombstones import Watch
from services.events import core
from services.events.core import Entry
from services.events.journal import Journal
from services.events.places import of_entries
from services.proto.recsys.v1 import events_pb2, events_pb2_grpc, gateway_pb2
from services.skeleton.context import Context
from services.skeleton.host import Host, Registration
from services.skeleton.seams import Call
from services.skeleton.store import FAILURES, Store, unreachable

# One round trip, and whole or not at all: an id is remembered exactly when its entry is in the stream. All of
# its keys carry one hash tag, also those that it makes of ids.
_APPEND = """
local maxlen, remember_ms, remembered = ARGV[1], ARGV[2], ARGV[3]
local newest = redis.call('HGET', KEYS[2], 'written_ts') or '0'
local taken = {}
for i = 4, #ARGV, 3 do
  local id, fresh = ARGV[i], true
  if id ~= '' then fresh = redis.call('SET', remembered .. id, '1', 'NX', 'PX', remember_ms) end
  if fresh then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', maxlen, '*', 'e', ARGV[i + 2])
    if tonumber(ARGV[i + 1]) > tonumber(newest) then newest = ARGV[i + 1] end
  end
  taken[#taken + 1] = fresh and 1 or 0
end
redis.call('HSET', KEYS[2], 'written_ts', newest)
return taken
"""
_SHA = hashlib.sha1(_APPEND.encode()).hexdigest()  # by which the store knows the script


class EventsServicer(events_pb2_grpc.EventsServicer):
    """Takes a call's events all or none; those with a known id count as duplicates."""

    def __init__(self, host: Host) -> None:
        self.host, self.seams, self.telemetry = host, host.seams, host.telemetry
        self.catalogue = Catalogue.load(Path(host.run.world_dir) / "public" / "catalogue.npz")
        self.store, self.journal = Store(host.run.redis), Journal(host.run.outcomes_journal)
        self.erased = Watch(Path(host.run.world_dir))
        self._together: list[tuple[list[Entry], asyncio.Future[list[bool]]]] = []  # goes to the store at once
        self._writing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """The store may be away: calls then answer STORE-001 until it is back."""

    async def reconfigure(self, config: Config) -> None:
        """Settings are read from the host at each call."""

    async def stop(self) -> None:
        await self.store.close()
        self.journal.close()

    async def Append(self, request: Any, context: Context) -> Any:
        now, catalogue = self.host.world.now(), self.catalogue
        entries = core.check_feedback(request.events, now, catalogue.n_users, catalogue.n_items)
        if not entries:
            return gateway_pb2.LogFeedbackResponse()
        taken = await self._write("Append", entries, context)
        accepted, told = 0, list[tuple[str, Row]]()
        gone = self.erased.members()
        for entry, fresh, event in zip(entries, taken, request.events, strict=False):
            if entry.user in gone:
                continue
            if fresh or not self.journal.knows(entry.event_id):
                row = self.telemetry.row("outcomes", outcome_row(entry, now, event.session_id))
                if row is not None:
                    told.append((entry.event_id, row))
            accepted += fresh
        self.journal.write(told)
        return gateway_pb2.LogFeedbackResponse(accepted=accepted, duplicate=len(entries) - accepted)

    async def AppendImpressions(self, request: Any, context: Context) -> Any:
        entry = core.check_impressions(
            request.user_id, request.item_ids, request.event_ts, request.session_id,
            request.request_id, self.host.world.now(), self.catalogue.n_users, self.catalogue.n_items,
        )  # fmt: skip
        if entry.items:
            await self._write("AppendImpressions", [entry], context)
        return events_pb2.AppendImpressionsResponse()

    async def _write(self, op: str, entries: list[Entry], context: Context) -> list[bool]:
        """Which of the entries were taken in; the others were there already. Raises STORE-001, STORE-004."""
        if not self.seams.write:
            return await self._append(entries)
        first = entries[0]
        call = Call(
            "write", "events", core.STREAM, op, first.user, max(first.session, 0),
            payload=list(entries),
            attributes={"event_ts": max(entry.ts for entry in entries), "n": len(entries)},
            places=lambda of: of_entries(of, self.catalogue),
        )  # fmt: skip
        taken: list[bool] = await self.seams.write.run(call, self._proceed)
        return taken

    async def _proceed(self, call: Call) -> list[bool]:
        return await self._append(call.payload)

    async def _append(self, entries: list[Entry]) -> list[bool]:
        gone = self.erased.members()  # of them nothing is taken in any more
        kept = [entry for entry in entries if entry.user not in gone] if gone else entries
        if not kept:
            return [False] * len(entries)
        taken = iter(await self._stored(kept))
        return [entry.user not in gone and next(taken) for entry in entries]

    async def _stored(self, entries: list[Entry]) -> list[bool]:
        """By one round trip with those of other calls that are here already."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[list[bool]] = loop.create_future()
        if not self._together:
            loop.call_soon(self._go)  # after all calls that came with this one
        self._together.append((entries, taken))
        return await taken

    def _go(self) -> None:
        together, self._together = self._together, []
        while together:
            n, size = 0, 0
            while n < len(together) and (not n or size + len(together[n][0]) <= core.MAX_EVENTS):
                size += len(together[n][0])
                n += 1
            task = asyncio.create_task(self._store(together[:n]))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
            together = together[n:]

    async def _store(self, together: list[tuple[list[Entry], asyncio.Future[list[bool]]]]) -> None:
        """The entries of several calls, in their order. Each call's are taken in all or none."""
        config = self.host.config.events
        arguments: list[Any] = [config.stream_maxlen, int(config.dedupe_s * 1000), core.REMEMBERED]
        for entries, _ in together:
            for entry in entries:
                arguments += (entry.event_id, repr(entry.ts), entry.encode())
        waiting = [(len(entries), taken) for entries, taken in together]
        try:
            fresh = iter(await self._run(arguments))
        except FAILURES as error:
            for _, taken in waiting:
                if not taken.done():
                    taken.set_exception(unreachable("events, XADD", error))
            return
        for n, taken in waiting:
            answer = [bool(new) for new in islice(fresh, n)]
            if not taken.done():
                taken.set_result(answer)

    async def _run(self, arguments: list[Any]) -> list[int]:
        keys = (core.STREAM, core.PROGRESS)
        try:
            answer = await self.store.command("EVALSHA", _SHA, len(keys), *keys, *arguments)
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            # A store that has just started.
            answer = await self.store.command("EVAL", _APPEND, len(keys), *keys, *arguments)
        taken: list[int] = answer
        return taken


def outcome_row(entry: Entry, now: float, session_id: str) -> Row:
    """A row of outcomes. now: world seconds at which the events service took the entry in."""
    return row_of.outcomes(
        event_ts=entry.ts, ingest_ts=now, event_id=entry.event_id, request_id=entry.request_id,
        session_id=session_id, user_id=entry.user, item_id=entry.items[0], kind=entry.kind,
        value=entry.value,
    )  # fmt: skip


REGISTRATION = Registration("events", EventsServicer, events_pb2.DESCRIPTOR.services_by_name["Events"])
