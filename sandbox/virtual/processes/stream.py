"""The event stream and the stream processor, which reads it. The other reader is the batch job (materialiser)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sandbox.base.catalogue import Catalogue
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.features import USER_SEEN, USER_SESSION, FeatureView
from sandbox.virtual.machine.loop import Loop, Signal, Task
from sandbox.virtual.processes.store import Store
from sandbox.virtual.processes.tables import Written
from services.events import core
from services.events.core import Entry, UserState
from services.events.places import LIVES_S, Update, checked_update, noting, of_updates
from services.skeleton.seams import Call, Seams

WRITER = 1  # of streamed rows; batch runs count from 1 in a view of their own
_STREAMED = (USER_SESSION, USER_SEEN)
_NO_END: Mapping[int, float] = MappingProxyType({})
Log = Callable[..., None]  # service, level, text, and fields


def _unheard(*line: object, **fields: object) -> None:
    """For who has nobody to tell."""


_Held = tuple[UserState, Written | None, Written | None]  # a user's rows as numbers, and the rows


@dataclass
class Stream:
    """Entries in the order in which they were appended. appended: fires when there is one to read.

    read: entries that were given to the processor; done: those that it has committed.
    """

    entries: list[Entry] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # wall seconds of the append
    read: int = 0
    done: int = 0
    written_ts: float = 0.0
    processed_ts: float = 0.0
    appended: Signal = field(default_factory=Signal)

    @property
    def backlog(self) -> int:
        return len(self.entries) - self.done

    def skip(self) -> int:
        """The processor goes on from now. Returns the entries it will never see."""
        n = len(self.entries) - self.read
        self.read = len(self.entries)
        self.done = self.read
        return n

    def replay(self, since: float) -> None:
        """The processor goes over what was appended since that wall time again."""
        first = next((i for i, t in enumerate(self.times) if t >= since), len(self.times))
        self.read = self.done = min(first, self.read)


class Processor:
    """services.events.processor in world time: batch after batch, through the write seam, committed at once."""

    def __init__(
        self, loop: Loop, stream: Stream, store: Store, catalogue: Catalogue, seams: Seams,
        config: Callable[[], Config], speed: float, log: Log = _unheard,
    ) -> None:  # fmt: skip
        """speed: world seconds per wall second. log: takes a line of the processor's log."""
        self._log = log
        self.loop, self.stream, self.store = loop, stream, store
        self.catalogue, self.seams, self.config, self._speed = catalogue, seams, config, speed
        self._visits: dict[int, int] = {}  # visit that the counters of a user's row belong to
        self._states: dict[int, _Held] = {}
        self._task: Task | None = None
        store.work_out = self._work_out

    def start(self) -> None:
        self.stream.read = self.stream.done  # what an earlier run read and left undone is read again
        self._task = self.loop.spawn(self._run())

    def stop(self) -> None:
        if self._task is not None:
            self.loop.cancel(self._task)
            self._task = None

    def forget(self) -> None:
        """The store is empty: so are the rows that this goes on from."""
        self._visits.clear()
        self._states.clear()

    async def _run(self) -> None:
        stream, loop = self.stream, self.loop
        while True:
            if stream.read >= len(stream.entries):
                await loop.wait(stream.appended)
                stream.appended = Signal()
                continue
            if loop.now < self.store.down_until:
                await loop.sleep_until(self.store.down_until)
            while self.store.refusal(writing=True):
                await loop.sleep_until(loop.now + core.PAUSE_S)
            settings = self.config().stream
            first = stream.read
            stream.read = min(len(stream.entries), first + settings.batch)
            try:
                await self._process(stream.entries[first : stream.read])
            except SandboxError as error:  # of a wrapper: nothing is committed, and the batch is read again
                self._log("stream", "error", "batch failed", error=repr(error))
                stream.read = min(first, stream.read)
                await loop.sleep_until(loop.now + core.PAUSE_S)
                continue
            stream.done = max(stream.done, stream.read)
            if stream.read - first < settings.batch:
                await loop.sleep_until(loop.now + settings.linger_ms / 1000)

    async def _process(self, entries: list[Entry]) -> None:
        newest = max(e.ts for e in entries)
        of_user: dict[int, list[Entry]] = {}
        for entry in entries:
            of_user.setdefault(entry.user, []).append(entry)
        if self.seams.write:
            await self._written(of_user, newest)
        else:
            for user, own in of_user.items():
                self.store.put_later(user, own)
        self.stream.processed_ts = max(newest, self.stream.processed_ts)

    def _work_out(self, user: int, batches: list[list[Entry]]) -> None:
        state = self._state(user)
        for view, update in self._after(user, state, batches):
            self._commit(view, [update])
        self._states[user] = state, *self._rows(user)

    async def _written(self, of_user: dict[int, list[Entry]], newest: float) -> None:
        """Commits a batch through the write seam. Raises SandboxError, and then has changed nothing."""
        updates: dict[str, list[Update]] = {USER_SESSION.name: [], USER_SEEN.name: []}
        visits = self._visits.copy()
        for user in sorted(of_user):
            for view, update in self._after(user, self._state(user), [of_user[user]]):
                updates[view].append(update)
        lives: dict[str, dict[int, float]] = {view.name: {} for view in _STREAMED}
        try:
            passed = [
                (view, await self._through(view, updates[view.name], newest, lives[view.name])) for view in _STREAMED
            ]
            written = [(view.name, [checked_update(view, of) for of in rows]) for view, rows in passed]
        except SandboxError:
            self._visits = visits
            raise
        for name, rows in written:
            self._commit(name, rows, lives[name])

    def _commit(self, view: str, rows: list[Update], lives: Mapping[int, float] = _NO_END) -> None:
        """lives: world seconds that the row of a user lives; those of others have no end."""
        for user, ts, row in rows:
            lives_s = lives.get(user)
            ends_in = None if lives_s is None else lives_s / self._speed
            self.store.put_streamed(view, user, Written(row, ts, WRITER), lives_s=ends_in)

    def _after(self, user: int, state: UserState, batches: list[list[Entry]]) -> Iterator[tuple[str, Update]]:
        """What becomes of a user's rows, by view, as if each of these batches had been committed by itself."""
        session = seen = False
        for entries in batches:
            of_session, of_seen = core.apply_events({user: state}, entries, self.catalogue.n_items)
            session, seen = session or bool(of_session), seen or bool(of_seen)
            state.as_stored()
        if session:
            self._visits[user] = state.session
            row = state.session_row(self.catalogue.item_topics)
            yield USER_SESSION.name, (user, state.ts, row)
        if seen:
            yield USER_SEEN.name, (user, state.seen_ts, state.seen_row())

    async def _through(
        self, view: FeatureView, updates: list[Update], newest: float, lives: dict[int, float]
    ) -> list[Update]:
        if not updates:
            return updates
        call = Call(
            "write", "stream", view.name, "apply", payload=updates,
            attributes={"event_ts": newest, "n": len(updates), LIVES_S: None},
            places=of_updates(view, self.catalogue),
        )  # fmt: skip
        passed: list[Update] = await self.seams.write.run(call, noting(lives))
        return passed

    def _rows(self, user: int) -> tuple[Written | None, Written | None]:
        session, seen = USER_SESSION.name, USER_SEEN.name
        return self.store.streamed(session, user), self.store.streamed(seen, user)

    def _state(self, user: int) -> UserState:
        """The rows as they stand, whatever their age."""
        session, seen = self._rows(user)
        held = self._states.pop(user, None)
        if held is not None and held[1] is session and held[2] is seen:
            return held[0]
        return UserState.of_rows(
            self._visits.get(user, -1),
            session.values if session else USER_SESSION.default_row,
            session.event_ts if session else 0.0,
            seen.values if seen else USER_SEEN.default_row,
            seen.event_ts if seen else 0.0,
        )
