"""Where the stream processor stands in the event stream, and moving it, as an operator may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from sandbox.base.run import RunInfo
from services.events.core import GROUP, STREAM
from services.skeleton.store import FAILURES, unreachable

TIMEOUT_S = 5.0  # wall seconds for one command
_MOST_COUNTED = 100_000  # entries; a longer backlog counts as this many


def backlog(run: RunInfo) -> int:
    """Entries that are not processed yet. Raises STORE-001."""
    with store_of(run) as store:
        return _backlog(store)


def skip(run: RunInfo) -> int:
    """Has the processor go on from now. Returns the entries it will never see. Raises STORE-001."""
    with store_of(run) as store:
        n = _backlog(store)
        store.xgroup_setid(STREAM, GROUP, "$")
        return n


def replay(run: RunInfo, minutes: float) -> None:
    """Has the processor go over the last `minutes` world minutes again. Raises STORE-001."""
    wall_ms = int(minutes * 60_000 / run.speed)
    with store_of(run) as store:
        time: Any = store.time()
        seconds, micros = time
        start = max(0, seconds * 1000 + micros // 1000 - wall_ms)
        store.xgroup_setid(STREAM, GROUP, f"{start}-0")


def _backlog(store: redis.Redis) -> int:
    groups: Any = store.xinfo_groups(STREAM)
    group = next((g for g in groups if g["name"] == GROUP.encode()), None)
    if group is None:
        return 0
    after: Any = store.xrange(STREAM, min=b"(" + group["last-delivered-id"], count=_MOST_COUNTED)
    return len(after) + int(group["pending"])


@contextmanager
def store_of(run: RunInfo) -> Iterator[redis.Redis]:
    """For a few commands of an operator. Raises STORE-001."""
    client = redis.Redis(**run.redis_kwargs(), socket_timeout=TIMEOUT_S)
    try:
        yield client
    except FAILURES as error:
        raise unreachable("event stream", error) from error
    finally:
        client.close()
