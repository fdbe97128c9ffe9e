"""The memory of a virtual store: what its keys take of it, when each was last used, and which of them goes first."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from sandbox.base.config import RedisConfig
from sandbox.base.features import VIEWS

BESIDE = ""  # in place of a view: a key beside the rows, by its name
Key = tuple[str, Any]  # view and entity id, or BESIDE and a name

# As Redis 6.2 takes them: `used_memory` before and after some thousand keys of each kind.
_EMPTY_BYTES, _KEY_BYTES, _ENTRY_BYTES = 940_000, 100, 240  # an entry of the stream, and its id that is remembered
_ROW_BYTES = {view.name: view.row_bytes + _KEY_BYTES for view in VIEWS.values()}
_POOL = 1_000  # of the keys unused for longest, found at once
_USUAL = RedisConfig()


class Memory:
    """Redis looks at a few keys and lets the oldest of these go; here it is the oldest of all.

    n_of: entities of each view. world: world seconds, the times at which keys are used.
    """

    def __init__(self, n_of: Mapping[str, int], world: Callable[[], float]) -> None:
        self.settings, self.world, self._n_of = RedisConfig(), world, dict(n_of)
        self.n_evicted = 0
        self.clear()

    def clear(self) -> None:
        """The keys are gone; what was let go before stays counted."""
        self.blobs: dict[str, int] = {}  # beside the rows: bytes of each, longest unused first
        self._blob_bytes = 0
        self._used = {view: np.zeros(n) for view, n in self._n_of.items()}
        self._blob_used: dict[str, float] = {}
        self._pool: list[tuple[float, str, Any]] = []

    @property
    def is_watched(self) -> bool:
        """Whether it may become full; else nobody counts."""
        asked = self.settings.maxmemory_mb, self.settings.policy
        return bool(self.blobs) or asked != (_USUAL.maxmemory_mb, _USUAL.policy)

    @property
    def limit_bytes(self) -> int:
        return int(self.settings.maxmemory_mb * 2**20)

    def used_bytes(self, n_rows: Mapping[str, int], n_entries: int) -> int:
        """n_rows: by view. n_entries: of the event stream."""
        rows = sum(_ROW_BYTES[view] * n for view, n in n_rows.items())
        return _EMPTY_BYTES + rows + self._blob_bytes + n_entries * _ENTRY_BYTES

    def touch(self, view: str, ids: Any, ts: Any = None) -> None:
        """Keys are read or written. ids: one or int64 [n], ts: world seconds or float64 [n], None for now."""
        self._used[view][ids] = self.world() if ts is None else ts

    def keep(self, name: str, n_bytes: int) -> None:
        """A key beside the rows, in place of one of that name."""
        self.drop(name)
        self.blobs[name], self._blob_used[name] = n_bytes + _KEY_BYTES, self.world()
        self._blob_bytes += self.blobs[name]

    def drop(self, name: str) -> None:
        """No such key, and nothing changes."""
        self._blob_bytes -= self.blobs.pop(name, 0)
        self._blob_used.pop(name, None)

    def oldest(self, there: Callable[[], Mapping[str, np.ndarray]], ends: Iterable[Key]) -> Key | None:
        """The key that goes next by the policy, None where none may. there: ids with a row by view, int64 [n]. ends: keys
        that have an end."""
        if self.settings.policy == "noeviction":
            return None
        while True:
            if not self._pool:
                among = self._ending(ends) if self.settings.policy == "volatile-lru" else self._all(there())
                self._pool = heapq.nsmallest(_POOL, among)
            if not self._pool:
                return None
            last, view, id = heapq.heappop(self._pool)
            if self._last(view, id) == last:  # else it was used since, or is gone
                return view, id

    def forget_order(self) -> None:
        """The keys that go next are looked for anew, as after a change of the policy."""
        self._pool = []

    def _last(self, view: str, id: Any) -> float:
        return self._blob_used.get(id, -1.0) if view == BESIDE else float(self._used[view][id])

    def _ending(self, ends: Iterable[Key]) -> Iterable[tuple[float, str, Any]]:
        return ((self._last(view, id), view, id) for view, id in ends)

    def _all(self, there: Mapping[str, np.ndarray]) -> Iterable[tuple[float, str, Any]]:
        """The oldest of each kind, and more."""
        for view, ids in there.items():
            used = self._used[view][ids]
            if len(ids) > _POOL:
                least = np.argpartition(used, _POOL)[:_POOL]
                ids, used = ids[least], used[least]
            yield from ((ts, view, id) for ts, id in zip(used.tolist(), ids.tolist(), strict=True))
        oldest = zip(range(_POOL), self._blob_used.items(), strict=False)  # written once each: in the order of time
        yield from ((ts, BESIDE, name) for _, (name, ts) in oldest)
