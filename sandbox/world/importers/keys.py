"""The source's own keys of an imported world, looked up: for `--user-key`."""

from __future__ import annotations

import difflib
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from sandbox.base.errors import SandboxError


def user_id(world_dir: Path, key: str) -> int:
    """The user whose key in the source is `key`. Raises WIRE-003, naming similar keys."""
    return _lookup(world_dir, "users", "user_id", key)


def item_id(world_dir: Path, key: str) -> int:
    """The item whose key in the source is `key`. Raises WIRE-003, naming similar keys."""
    return _lookup(world_dir, "items", "item_id", key)


def _lookup(world_dir: Path, table: str, column: str, key: str) -> int:
    path = world_dir / "public" / f"{table}.parquet"
    try:
        rows = pq.read_table(path, columns=[column, "key"])
    except (OSError, ValueError, KeyError) as error:
        raise SandboxError(
            "WORLD-003",
            where=str(path),
            seen=str(error),
            expected=f"columns {column} and key",
            fix="build or import the world anew with --force",
        ) from error
    found = rows.filter(pc.equal(rows["key"].cast("string"), key))
    if len(found):
        return int(found[column][0].as_py())
    keys = rows["key"].cast("string").to_pylist()
    near = difflib.get_close_matches(key, keys[:50_000], n=3, cutoff=0.5) or keys[:3]
    raise SandboxError(
        "WIRE-003",
        where=f"{table} of world {world_dir.name}, key",
        seen=key,
        expected=f"a key of the source, such as {', '.join(near)}",
        fix=f"take one of those, or give the number: {column} from 0 to {len(keys) - 1}",
    )
