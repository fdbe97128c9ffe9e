"""A replica of the store from which one may read, and which may be behind.

It is no second server but a view of the same one. While HELD is there the replica stands still: who writes a row leaves
what was there before beside it, and who reads from the replica finds that. Once HELD has run out, all that was left
is gone with it, and the replica is what the store is, until it is held again: so it is behind by up to as long as it is
held each time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from services.skeleton.store import Store, Word

HELD = "replica:held"  # its value is for how long it was put there, wall milliseconds
_OLDER = b"older:"

# KEYS: a row and where it is left, by turns. ARGV[1]: for how long, ms. What is left first stays; '' for no row.
_LEAVE = """
for i = 1, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    redis.call('SET', KEYS[i + 1], redis.call('GET', KEYS[i]) or '', 'PX', ARGV[1])
  end
end
"""


def hold(lag_ms: int) -> tuple[Word, ...]:
    """The command that holds the replica back for so long, unless it is held already."""
    return ("SET", HELD, lag_ms, "PX", lag_ms, "NX")


def older(name: bytes) -> bytes:
    """Where the row before that of a key is left: in the same slot."""
    return _OLDER + name


async def leave(client: Store, groups: Sequence[Sequence[bytes]]) -> None:
    """Before rows are written. groups: their keys, by what one command may name. Raises FAILURES."""
    left_ms = await client.command("PTTL", HELD)
    if left_ms > 0:
        pairs = [list(itertools.chain(*((name, older(name)) for name in group))) for group in groups]
        await client.commands([("EVAL", _LEAVE, len(names), *names, left_ms) for names in pairs])


def as_seen(now: Sequence[bytes | None], left: Sequence[bytes | None]) -> list[bytes | None]:
    """What who reads from the replica finds. now: what lies in the store; left: what was left beside it."""
    return [row if before is None else before or None for row, before in zip(now, left, strict=True)]
