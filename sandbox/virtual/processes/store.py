"""What Redis holds on a live stack: rows by entity and view, with their ages."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import RedisConfig
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, USER_SESSION, VIEWS, FeatureView, Rows, Status
from sandbox.virtual.processes.memory import BESIDE, Key, Memory
from sandbox.virtual.processes.replica import Replica
from sandbox.virtual.processes.tables import Table, Written, joined
from services.events.core import Entry
from services.gateway.stages import UserRows


@dataclass
class Store:
    """All rows of one run: a `services.skeleton.feature_store.FeatureStore`, and what the virtual services read
    without waiting. down_until: wall seconds until which it does not answer. wall: seconds of the run so far. world:
    world seconds, by which it tells when a key was last used. n_entries: of the event stream, which lies there too.
    settle: has all that is open computed, before a key is let go that somebody may be about to read.

    What a user's rows become is worked out when somebody reads them: most are written several times before.
    work_out: puts them, by the batches of a user's entries that were committed; the stream processor's.
    Rows that were written to live so long are gone after it, and counted (n_expired).
    """

    catalogue: Catalogue
    wall: Callable[[], float] = lambda: 0.0
    world: Callable[[], float] = lambda: 0.0
    n_entries: Callable[[], int] = lambda: 0
    settle: Callable[[], None] = lambda: None
    down_until: float = 0.0
    n_reads: int = 0  # keys read, for redis_stats
    n_commands: int = 0
    n_misses: int = 0  # keys read under which nothing lay
    n_expired: int = 0
    work_out: Callable[[int, list[list[Entry]]], None] = lambda user, batches: None
    views: Mapping[str, FeatureView] = field(default_factory=lambda: dict(VIEWS))

    def __post_init__(self) -> None:
        users, items = self.catalogue.n_users, self.catalogue.n_items
        n_of = {view.name: items if view.entity == "item" else users for view in VIEWS.values()}
        self.memory, self.replica = Memory(n_of, lambda: self.world()), Replica()
        self.clear()

    def clear(self) -> None:
        """Everything is gone, as after a restart of Redis."""
        self._batch = {
            USER_PROFILE.name: Table.empty(USER_PROFILE, self.catalogue.n_users),
            ITEM_STATS.name: Table.empty(ITEM_STATS, self.catalogue.n_items),
        }
        self.lists: dict[str, int] = {}  # beside the rows: how many elements each has
        self._streamed: dict[str, dict[int, Written]] = {USER_SESSION.name: {}, USER_SEEN.name: {}}
        self._owed: dict[int, list[list[Entry]]] = {}
        self._ends: dict[Key, float] = {}  # of the keys that have one: wall seconds
        self._next_ends: list[tuple[float, str, Any]] = []  # the same and what was so before, as a heap
        self.memory.clear()
        self.replica.clear()

    def configure(self, settings: RedisConfig, reads: str = "primary") -> None:
        """What does not fit any more goes at once. reads: where who serves reads, primary or replica."""
        if settings != self.memory.settings:
            self._work_out_all()  # what was not counted may be from now on
        self.memory.settings = settings
        self.replica.is_there, self.replica.is_read = settings.replica, reads == "replica"
        self.memory.forget_order()
        self._let_go()
        self._make_room()

    @property
    def n_keys(self) -> int:
        """Rows held, and keys beside them."""
        self._let_go()
        self._work_out_all()
        return sum(self._n_rows().values()) + len(self.memory.blobs)

    @property
    def used_bytes(self) -> int:
        """Of memory."""
        return self.memory.used_bytes(self._n_rows(), self.n_entries())

    def refusal(self, *, writing: bool = False) -> str:
        """Code of the error that whoever asks now is told, empty where there is none."""
        if self.wall() < self.down_until:
            return "STORE-001"
        return "STORE-004" if writing and not self._make_room() else ""

    def keep(self, name: str, n_bytes: int, lives_s: float | None) -> None:
        """A key beside the rows. lives_s: as of `write`. Raises as `write`."""
        self.require("write", writing=True)
        if not self.memory.is_watched:
            self._work_out_all()
        self.memory.keep(name, n_bytes)
        self._end(BESIDE, name, lives_s)
        self._make_room()

    async def read(self, view: FeatureView, ids: np.ndarray, now: float) -> Rows:
        self.require("read")
        self._let_go()
        if view.name not in self._batch:
            rows = [self._row(view.name, self._used(view.name, i, now), now) for i in ids.tolist()]
            return joined(view, rows)
        there = (ids >= 0) & (ids < len(self._batch[view.name].event_ts))
        self.memory.touch(view.name, ids[there], now)
        found = self._of_table(view.name, np.where(there, ids, 0), now)
        found.values[~there], found.event_ts[~there] = view.default_row, np.nan
        found.status[~there], found.run[~there] = Status.MISSING, 0
        return found

    async def write(
        self, view: FeatureView, ids: np.ndarray, values: np.ndarray, event_ts: np.ndarray, run: int,
        *, lives_s: float | None = None,
    ) -> None:  # fmt: skip
        self.put(view, ids, values, event_ts, run, lives_s=lives_s)

    def put(
        self, view: FeatureView, ids: np.ndarray, values: np.ndarray, event_ts: np.ndarray, run: int,
        *, lives_s: float | None = None,
    ) -> None:  # fmt: skip
        """As `write`: nobody is waited for here."""
        self.require("write", writing=True)
        if view.name not in self._batch:
            for i, row, ts in zip(ids.tolist(), values, event_ts.tolist(), strict=True):
                self.put_streamed(view.name, i, Written(row, ts, run), lives_s=lives_s)
            return
        self.replica.leave(view.name, self._batch[view.name])
        self._batch[view.name].put(ids, values, event_ts, run)
        self.memory.touch(view.name, ids)
        if self._ends or lives_s is not None:
            for i in ids.tolist():
                self._end(view.name, i, lives_s)
        self._make_room()

    def require(self, what: str, *, writing: bool = False) -> None:
        """Raises STORE-001 while it is away, STORE-004 for a write that it does not take."""
        if code := self.refusal(writing=writing):
            raise SandboxError(
                code,
                where=f"feature store, {what}",
                seen="a virtual store that is away or full",
                expected="a store that answers",
                fix="see redis_stats and process_events",
            )

    def put_streamed(self, view: str, user: int, row: Written, *, lives_s: float | None = None) -> None:
        """lives_s: as of `write`."""
        self.replica.leave_row(view, user, self._streamed[view].get(user))
        self._streamed[view][user] = row
        # Where nobody counts, rows are put long after they would have been written.
        self.memory.touch(view, user, None if self.memory.is_watched else row.event_ts)
        if self._ends or lives_s is not None:
            self._end(view, user, lives_s)
        self._make_room()

    def put_later(self, user: int, entries: list[Entry]) -> None:
        """Commits what happened to a user; the rows that follow are put before anybody reads them."""
        self._owed.setdefault(user, []).append(entries)
        # Of a row that may be gone by then, live on by what is written now, need room, or be read as it is without it.
        if self._ends or self.memory.is_watched or self.replica.is_held:
            self.work_out(user, self._owed.pop(user))

    def hold_replica(self, lag_s: float) -> None:
        """It stands still from now on, wall seconds, unless it does already."""
        self.require("write", writing=True)
        if not self.replica.is_held:
            self._work_out_all()
            self.replica.hold(self.wall(), lag_s)

    def tend(self) -> None:
        """Once a wall second: a replica that was held for long enough catches up."""
        if self.replica.is_held and self.wall() >= self.replica.until:
            self.settle()
            self.replica.clear()

    def _work_out_all(self) -> None:
        for user in list(self._owed):
            self.work_out(user, self._owed.pop(user))

    def _n_rows(self) -> dict[str, int]:
        streamed = {view: len(rows) for view, rows in self._streamed.items()}
        return {**{view: table.n for view, table in self._batch.items()}, **streamed}

    def _make_room(self) -> bool:
        """Whether all fits; else keys go, as the policy has it, until it does."""
        if not self.memory.is_watched or self.used_bytes <= self.memory.limit_bytes:
            return True
        self.settle()
        while self.used_bytes > self.memory.limit_bytes:
            key = self.memory.oldest(self._there, self._ends)
            if key is None:
                return False
            self.memory.n_evicted += self._drop(*key)
        return True

    def _there(self) -> dict[str, np.ndarray]:
        batch = {view: np.flatnonzero(np.isfinite(table.event_ts)) for view, table in self._batch.items()}
        return {**batch, **{view: np.fromiter(rows, np.int64, len(rows)) for view, rows in self._streamed.items()}}

    def _drop(self, view: str, id: Any) -> bool:
        """Whether there was such a key."""
        self._ends.pop((view, id), None)
        if view == BESIDE:
            was = id in self.memory.blobs
            self.memory.drop(id)
            return was
        if view in self._batch:
            return self._batch[view].drop(id)
        return self._streamed[view].pop(id, None) is not None

    def _end(self, view: str, id: Any, lives_s: float | None) -> None:
        self._ends.pop((view, id), None)
        if lives_s is not None:
            self._ends[view, id] = ends = self.wall() + lives_s
            heapq.heappush(self._next_ends, (ends, view, id))

    def _let_go(self) -> None:
        """Rows whose time is over are gone."""
        while self._next_ends and self._next_ends[0][0] <= self.wall():
            ends, view, id = heapq.heappop(self._next_ends)
            if self._ends.get((view, id)) != ends:
                continue  # it was written again
            self.n_expired += self._drop(view, id)

    def streamed(self, view: str, user: int) -> Written | None:
        """The row as it stands, None where there is none."""
        self._let_go()
        if user in self._owed:
            self.work_out(user, self._owed.pop(user))
        return self._streamed[view].get(user)

    def _used(self, view: str, user: int, now: float) -> Written | None:
        """The same as somebody reads it. now: world seconds."""
        row = self.streamed(view, user)
        if row is not None:
            self.memory.touch(view, user, now)
        return self.replica.row(view, user, row)

    def _as_read(self, view: str) -> Table:
        return self.replica.table(view, self._batch[view])

    def items(self, ids: np.ndarray, now: Any) -> Rows:
        """Rows of item_stats. now: world seconds, one or float64 [n]."""
        self._let_go()
        self.memory.touch(ITEM_STATS.name, ids, now)
        return self._of_table(ITEM_STATS.name, ids, now)

    def user(self, user: int, now: float) -> tuple[Rows, Rows, Rows]:
        """One row each of user_profile, user_session and user_seen. now: world seconds."""
        self._let_go()
        self.memory.touch(USER_PROFILE.name, user, now)
        return (
            self._row(USER_PROFILE.name, self._as_read(USER_PROFILE.name).row(user), now),
            self._row(USER_SESSION.name, self._used(USER_SESSION.name, user, now), now),
            self._row(USER_SEEN.name, self._used(USER_SEEN.name, user, now), now),
        )

    def user_rows(self, user: int, now: float) -> UserRows:
        """The same as the gateway unpacks them, where nothing on the way looks at a row."""
        self._let_go()
        self.memory.touch(USER_PROFILE.name, user, now)
        profile = self._as_read(USER_PROFILE.name).row(user)
        session, seen = (self._used(view.name, user, now) for view in (USER_SESSION, USER_SEEN))
        is_known, profile_values = self._valid(USER_PROFILE.name, profile, now)
        return UserRows.of_values(
            profile_values,
            self._valid(USER_SESSION.name, session, now)[1],
            self._valid(USER_SEEN.name, seen, now)[1],
            is_known,
            None if profile is None else now - profile.event_ts,
            None if session is None else now - session.event_ts,
        )

    def _valid(self, view: str, row: Written | None, now: float) -> tuple[bool, np.ndarray]:
        """Whether the row may be used, and what a reader gets: its values, or the default."""
        spec = self.views[view]
        if row is not None and now - row.event_ts <= spec.max_age_s:
            return True, row.values
        return False, spec.default_row

    def _of_table(self, view: str, ids: np.ndarray, now: float) -> Rows:
        table, spec = self._as_read(view), self.views[view]
        event_ts = table.event_ts[ids]
        there = np.isfinite(event_ts)
        expired = there & (now - event_ts > spec.max_age_s)
        status = np.where(there, np.where(expired, Status.EXPIRED, Status.PRESENT), Status.MISSING)
        values = table.values[ids]
        bad = status != Status.PRESENT
        if bad.any():
            values[bad] = spec.default_row
        return Rows(values, event_ts, status.astype(np.uint8), table.run[ids])

    def _row(self, view: str, row: Written | None, now: float) -> Rows:
        """One row as it is read."""
        is_valid, values = self._valid(view, row, now)
        status = Status.PRESENT if is_valid else Status.MISSING if row is None else Status.EXPIRED
        ts, run = (np.nan, 0) if row is None else (row.event_ts, row.run)
        return Rows(values[None, :], np.array([ts]), np.array([status], np.uint8), np.array([run], np.uint64))
