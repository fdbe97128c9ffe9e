"""What the feature store of a run that is up holds of people: rows and visits by key, entries of the event stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis

from sandbox.base.errors import SandboxError
from sandbox.base.features import VIEWS, unpack_many
from sandbox.base.run import RunInfo
from sandbox.privacy.columns import Who, user_of_key
from sandbox.privacy.files import Rows
from services.events.core import STREAM, Entry

TIMEOUT_S = 5.0  # wall seconds for one command: nobody waits for this
_AT_ONCE = 1_000  # keys or entries of one command


@dataclass(frozen=True)
class RedisStore:
    """Raises STORE-001 where it does not answer."""

    name: str
    run: RunInfo

    def count(self, who: Who) -> int:
        with self._client() as client:
            return sum(1 for _ in self._keys(client, who)) + sum(1 for _ in self._entries(client, who))

    def by_user(self, who: Who) -> dict[int, int]:
        with self._client() as client:
            users = [user_of_key(key) for key in self._keys(client, who)]
            users += [entry.user for _, entry in self._entries(client, who)]
        return dict(Counter(user for user in users if user is not None))

    def rows(self, who: Who) -> Rows:
        with self._client() as client:
            held: Rows = [_told(key, client.get(key)) for key in self._keys(client, who)]
            return held + [dict(entry._asdict()) for _, entry in self._entries(client, who)]

    def erase(self, who: Who) -> None:
        with self._client() as client:
            for key in list(self._keys(client, who)):  # one a command: a store may be spread over nodes
                client.unlink(key)
            for ids in _pieces([entry_id for entry_id, _ in self._entries(client, who)]):
                client.xdel(STREAM, *ids)

    def _keys(self, client: redis.Redis, who: Who) -> Iterator[bytes]:
        """By the hash tag that all rows of a user carry, whatever the view."""
        users = set(who.users.tolist())
        for key in client.scan_iter(count=_AT_ONCE):
            if user_of_key(key) in users:
                yield key

    def _entries(self, client: redis.Redis, who: Who) -> Iterator[tuple[bytes, Entry]]:
        users, after = set(who.users.tolist()), "-"
        while True:
            found: Any = client.xrange(STREAM, min=after, count=_AT_ONCE)
            for entry_id, fields in found:
                entry = Entry.decode(fields.get(b"e", b""))
                if entry is not None and entry.user in users:
                    yield entry_id, entry
            if len(found) < _AT_ONCE:
                return
            after = "(" + found[-1][0].decode()

    @contextmanager
    def _client(self) -> Iterator[redis.Redis]:
        client = redis.Redis(**self.run.redis_kwargs(), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        try:
            yield client
        except (redis.RedisError, OSError) as error:
            raise SandboxError(
                "STORE-001",
                where=self.name,
                seen=f"{type(error).__name__}: {error}"[:200],
                expected="a store that answers",
                fix="see `sandbox status`: is redis up? Then delete once more",
            ) from error
        finally:
            client.close()


def _pieces(names: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]


def _told(key: bytes, blob: Any) -> dict[str, Any]:
    """A row of a view by its columns, anything else as text."""
    name = key.decode(errors="replace")
    view = VIEWS.get(name.split(":")[1]) if name.startswith("f:") else None
    if view is None or blob is None:
        return {"key": name, "value": None if blob is None else blob.decode(errors="replace")}
    rows = unpack_many(view, [blob], -np.inf)
    return {
        "key": name,
        "event_ts": float(rows.event_ts[0]),
        **dict(zip(view.columns, rows.values[0].tolist(), strict=True)),
    }
