"""The stream processor: from the event stream to the rows of user_session and user_seen.

A batch is read, applied to the rows that it concerns, written, and acknowledged when that is done: after
a crash what was not acknowledged is done again, which changes nothing that is done already (core.apply_events).
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from redis.exceptions import ResponseError

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.features import USER_SEEN, USER_SESSION, FeatureView, key, pack, unpack_many
from sandbox.base.instances import named
from sandbox.base.run import STREAM
from sandbox.base.tombstones import Watch
from services.events import core
from services.events.core import Entry, UserState
from services.events.places import LIVES_S, Update, checked_update, noting, of_updates
from services.skeleton.feature_store import RedisFeatures
from services.skeleton.host import Host, Registration
from services.skeleton.seams import Call
from services.skeleton.store import FAILURES, TIMEOUT_S, Store, Word, unreachable

CONSUMER = named(STREAM)
STOP_S = 1.0  # wall seconds that a batch gets when the process stops
_VIEWS = (USER_SESSION, USER_SEEN)


@dataclass
class Batch:
    """Entries of one read. ids: all of them, also those that could not be decoded."""

    ids: list[bytes]
    entries: list[Entry]

    @property
    def newest_ts(self) -> float:
        return max((entry.ts for entry in self.entries), default=0.0)


class StreamProcessor:
    """Reads as one consumer of the group; its seam `write` is passed once for each view and batch."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.catalogue = Catalogue.load(Path(host.run.world_dir) / "public" / "catalogue.npz")
        self.erased = Watch(Path(host.run.world_dir))
        longest_block_s = 5.0  # of StreamConfig.block_ms: the read itself may take as long
        self.stream = Store(host.run.redis, timeout_s=longest_block_s + TIMEOUT_S)
        client = Store(host.run.redis, timeout_s=longest_block_s + TIMEOUT_S)
        self.rows = RedisFeatures(client, has_replica=host.config.redis.replica)
        self.writer = zlib.crc32(f"{host.run.seed}/{host.instance}".encode())
        self.processed_ts = 0.0  # event time of the newest entry done, world seconds
        self.stopping = False
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self._run())

    async def reconfigure(self, config: Config) -> None:
        """Most settings are read from the host at each batch."""
        self.rows.has_replica = config.redis.replica

    async def stop(self) -> None:
        """Lets a batch in progress end; one that is held longer is given up, and done by the next run."""
        self.stopping = True  # a client in the middle of a read can swallow a cancellation: not alone
        if self.task:
            done, _ = await asyncio.wait({self.task}, timeout=STOP_S)
            if not done:
                self.task.cancel()
                await asyncio.wait({self.task}, timeout=STOP_S)
        await self.rows.close()
        await self.stream.close()

    async def _run(self) -> None:
        ready = away = False
        while not self.stopping:
            try:
                if not ready:
                    await self._begin()
                    ready = True
                batch = await self._read(">")
                if batch.ids:
                    await self._process(batch)
                    await self._linger(len(batch.ids))
                away = False
            except FAILURES as error:
                ready = False  # the store may come back without the group
                if not away:
                    failure = unreachable("stream processor", error)
                    away_or_full = "unreachable" if failure.kind.code == "STORE-001" else "takes no writes"
                    self.host.telemetry.log("warn", f"event store {away_or_full}", error=failure.seen)
                away = True
                await self.host.wall.wait_until(self.host.wall.now() + core.PAUSE_S)
            except Exception as error:  # an edge of the process: say so and go on
                self.host.telemetry.log("error", "batch failed", error=repr(error))
                ready = False
                await self.host.wall.wait_until(self.host.wall.now() + core.PAUSE_S)

    async def _linger(self, n: int) -> None:
        """Lets entries gather, unless more than a batch waits already."""
        config = self.host.config.stream
        if n < config.batch:
            await self.host.wall.wait_until(self.host.wall.now() + config.linger_ms / 1000)

    async def _begin(self) -> None:
        """Makes the group unless it exists, then does what an earlier run read and left undone."""
        try:
            await self.stream.command("XGROUP", "CREATE", core.STREAM, core.GROUP, "0", "MKSTREAM")
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        before = await self.stream.command("HGET", core.PROGRESS, "processed_ts")
        self.processed_ts = float(before or 0.0)
        while not self.stopping and (batch := await self._read("0")).ids:
            await self._process(batch)

    async def _read(self, after: str) -> Batch:
        """after: ">" for entries nobody has read, "0" for our own that are not acknowledged."""
        config = self.host.config.stream
        block = ("BLOCK", config.block_ms) if after == ">" else ()
        answer = await self.stream.command(
            "XREADGROUP", "GROUP", core.GROUP, CONSUMER, "COUNT", config.batch, *block, "STREAMS", core.STREAM, after
        )
        rows: list[tuple[bytes, list[bytes] | None]] = answer[0][1] if answer else []  # of the one stream
        # A trimmed entry that is still pending has no fields.
        decoded = [Entry.decode(fields[1]) if fields and fields[0] == b"e" else None for _, fields in rows]
        n_bad = sum(entry is None for entry in decoded)
        if n_bad:
            self.host.telemetry.log("warn", "stream entries passed over", n=n_bad)
        return Batch([entry_id for entry_id, _ in rows], [entry for entry in decoded if entry])

    async def _process(self, batch: Batch) -> None:
        gone = self.erased.members()  # no row is written of them any more
        users = sorted({e.user for e in batch.entries if e.user < self.catalogue.n_users and e.user not in gone})
        states = await self._states(users)
        known = (entry for entry in batch.entries if entry.user in states)
        sessions, seen = core.apply_events(states, known, self.catalogue.n_items)
        topics = self.catalogue.item_topics
        written: dict[str, bytes] = {}
        ends: dict[str, float] = {}
        for view, changed in zip(_VIEWS, (sessions, seen), strict=True):
            updates: list[Update] = []
            for user in sorted(changed):
                state = states[user]
                if view is USER_SESSION:
                    row, ts = state.session_row(topics), state.ts
                else:
                    row, ts = state.seen_row(), state.seen_ts
                updates.append((user, ts, row))
            lives: dict[int, float] = {}
            for update in await self._through_seam(view, updates, batch, lives):
                user, ts, row = checked_update(view, update)
                written[key(view, user)] = pack(view, row, ts, self.writer)
            ends |= {key(view, user): lives_s / self.host.run.speed for user, lives_s in lives.items()}
        written |= {_visit_key(user): b"%d" % states[user].session for user in sorted(sessions)}
        await self._commit(batch, written, ends)

    async def _through_seam(
        self, view: FeatureView, updates: list[Update], batch: Batch, lives: dict[int, float]
    ) -> list[Update]:
        """The updates that are to be written, after whatever is put on the write seam. lives: takes how many world
        seconds the rows of whom are to live."""
        if not updates or not self.host.seams.write:
            return updates
        call = Call(
            "write", "stream", view.name, "apply", payload=updates,
            attributes={"event_ts": batch.newest_ts, "n": len(updates), LIVES_S: None},
            places=of_updates(view, self.catalogue),
        )  # fmt: skip
        passed: list[Update] = await self.host.seams.write.run(call, noting(lives))
        return passed

    async def _commit(self, batch: Batch, written: dict[str, bytes], ends: dict[str, float]) -> None:
        """ends: wall seconds after which the row of a key is gone."""
        self.processed_ts = newest = max(batch.newest_ts, self.processed_ts)
        rows = {name.encode(): row for name, row in written.items()}
        await self.rows.put(rows, {name.encode(): lives_s for name, lives_s in ends.items() if name in written})
        done: list[tuple[Word, ...]] = [
            ("MULTI",),
            ("XACK", core.STREAM, core.GROUP, *batch.ids),
            ("HSET", core.PROGRESS, "processed_ts", repr(newest)),
            ("EXEC",),
        ]
        await self.stream.commands(done)  # both keys are of one slot

    async def _states(self, users: list[int]) -> dict[int, UserState]:
        """The rows as they stand, whatever their age: a user who was away keeps the recent clicks."""
        if not users:
            return {}
        keys = [key(view, user) for view in _VIEWS for user in users] + [_visit_key(u) for u in users]
        blobs = await self.rows.fetch([name.encode() for name in keys])
        n = len(users)
        session = unpack_many(USER_SESSION, blobs[:n], -np.inf)
        seen = unpack_many(USER_SEEN, blobs[n : 2 * n], -np.inf)
        visits, since, seen_since = (blobs[2 * n :], *map(_or_zero, (session.event_ts, seen.event_ts)))
        return {
            user: UserState.of_rows(int(visits[i] or -1), session.values[i], since[i], seen.values[i], seen_since[i])
            for i, user in enumerate(users)
        }


def _or_zero(ts: np.ndarray) -> list[float]:
    times: list[float] = np.nan_to_num(ts, nan=0.0).tolist()
    return times


def _visit_key(user: int) -> str:
    """Holds the number of the visit that the counters of the user's session row belong to; beside that row."""
    return f"visit:{{{user}}}"


REGISTRATION = Registration("stream", StreamProcessor)
