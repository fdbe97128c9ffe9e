"""The one port through which feature rows are read and written, and Redis behind it.

Nowhere else does a command name several rows. Rows that change together carry one hash tag (a user's rows,
`sandbox.base.features.key`), and `together` says which keys one command may name where a store is spread over
nodes, as Redis Cluster is.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.features import FeatureView, Rows, key, pack_many, unpack_many
from sandbox.base.jobs import ROWS_PER_WRITE
from services.skeleton import replica
from services.skeleton.store import FAILURES, Store, Word, unreachable


class FeatureStore(Protocol):
    """Rows by view and entity, on either backend; tests/services/test_feature_store.py is its contract.

    Both methods raise STORE-001 where the store is away or does not answer in time, and `write` STORE-004
    where it takes no writes. Neither waits without end, and neither answers in part.
    """

    async def read(self, view: FeatureView, ids: np.ndarray, now: float) -> Rows:
        """The rows in the order of `ids`, int64 [n]. now: world seconds.

        What is not there comes back as MISSING, what is older than the view's max_age_s as EXPIRED, both
        with default values.
        """
        ...

    async def write(
        self, view: FeatureView, ids: np.ndarray, values: np.ndarray, event_ts: np.ndarray, run: int,
        *, lives_s: float | None = None,
    ) -> None:  # fmt: skip
        """In place of what was there. values: float32 [n, columns]. event_ts: float64 [n], world seconds.
        run: who writes. lives_s: wall seconds after which the rows are gone, None for no end, whatever end the rows
        before them had. One that fails may have been done in part: write again."""
        ...


class RedisFeatures:
    """A `FeatureStore` in Redis, and its rows as bytes for those on the serving path.

    spread: whether keys of different slots lie on different nodes, so that no command may name both; each
    slot's command then goes out in the same round trip.
    """

    def __init__(
        self, client: Store, *, spread: bool = False, where: str = "feature store", has_replica: bool = False,
        from_replica: bool = False,
    ) -> None:  # fmt: skip
        """has_replica: what is written may have to be left as it was, for who reads from the replica. from_replica:
        reads are from it (services.skeleton.replica)."""
        self.client, self.spread, self._where = client, spread, where
        self.has_replica, self.from_replica = has_replica, from_replica

    async def fetch(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """What lies under the keys, in their order, by one round trip; by a second one from a replica that is behind.
        Raises FAILURES."""
        if not self.from_replica:
            return await self._fetch(keys)
        held, *rows = await self._fetch([replica.HELD.encode(), *keys])
        return rows if held is None else replica.as_seen(rows, await self._fetch([replica.older(k) for k in keys]))

    async def _fetch(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not self.spread:
            answer: list[bytes | None] = await self.client.command("MGET", *keys)
            return answer
        groups = together(keys)
        answers = await self.client.commands([("MGET", *group) for group in groups])
        names, blobs = itertools.chain(*groups), itertools.chain(*answers)
        found: dict[bytes, bytes | None] = dict(zip(names, blobs, strict=True))
        return [found[name] for name in keys]

    async def put(self, rows: Mapping[bytes, bytes], lives_s: Mapping[bytes, float] = MappingProxyType({})) -> None:
        """Writes packed rows by key, by one round trip; those of one slot all or none. lives_s: wall seconds after
        which the row of a key is gone; without, it has no end. Raises FAILURES."""
        if not rows:
            return
        groups = together(list(rows)) if self.spread else [list(rows)]
        if self.has_replica:
            await replica.leave(self.client, groups)
        commands: list[Sequence[Word]] = [
            ("MSET", *itertools.chain(*((name, rows[name]) for name in group))) for group in groups
        ]
        commands += [("PEXPIRE", name, max(1, round(1000 * lives_s[name]))) for name in rows if name in lives_s]
        await self.client.commands(commands)

    async def read(self, view: FeatureView, ids: np.ndarray, now: float) -> Rows:
        names = [key(view, i).encode() for i in ids.tolist()]
        try:
            return unpack_many(view, await self.fetch(names) if names else [], now)
        except FAILURES as error:
            raise self._failed("read", error) from error

    async def write(
        self, view: FeatureView, ids: np.ndarray, values: np.ndarray, event_ts: np.ndarray, run: int,
        rows_per_write: int = ROWS_PER_WRITE, *, lives_s: float | None = None,
    ) -> None:  # fmt: skip
        """rows_per_write: rows of one command."""
        for start in range(0, len(ids), rows_per_write):
            part = slice(start, start + rows_per_write)
            names = [key(view, i).encode() for i in ids[part].tolist()]
            packed = pack_many(view, values[part], event_ts[part], run)
            try:
                await self.put(
                    dict(zip(names, packed, strict=True)), {} if lives_s is None else dict.fromkeys(names, lives_s)
                )
            except FAILURES as error:
                raise self._failed("write", error) from error

    async def close(self) -> None:
        await self.client.close()

    def _failed(self, what: str, error: Exception) -> SandboxError:
        return unreachable(f"{self._where}, {what}", error)


def together(keys: Sequence[bytes]) -> list[list[bytes]]:
    """The keys, by what one command may name: those of one hash tag; a key without a tag by itself."""
    groups: dict[bytes, list[bytes]] = {}
    for name in dict.fromkeys(keys):
        groups.setdefault(_tag(name), []).append(name)
    return list(groups.values())


def _tag(name: bytes) -> bytes:
    """What Redis hashes of a key: between its first `{` and the next `}`, the whole key where that is empty."""
    start = name.find(b"{")
    end = name.find(b"}", start + 1)
    return name[start + 1 : end] if start >= 0 and end > start + 1 else name
