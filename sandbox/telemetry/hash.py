"""One hash for each table of a lake: equal for equal rows, however they were written.

Each row is hashed by itself, and the hashes are added up, so neither the order of rows, nor the files
they lie in, nor the memory of the machine matters. Doubles count to their last bit: DuckDB prints the
shortest text that reads back as the same number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES, Table
from sandbox.telemetry.lake import Lake

_ATTEMPTS = 3  # a segment can be merged away while a lake that still grows is read


@dataclass(frozen=True)
class LakeHash:
    """tables: hash of each table of the schema, also of those without rows. all: of all of them."""

    tables: dict[str, str]
    all: str


def lake_hash(lake_dir: Path) -> LakeHash:
    """The hashes of a lake as it is now, 32 hexadecimal digits each. Raises LAKE-007."""
    if not (lake_dir / "manifest.json").exists():
        raise SandboxError(
            "LAKE-007",
            where=str(lake_dir),
            seen="no manifest.json",
            expected="the lake of a run",
            fix="name the directory of a run that has written telemetry",
        )
    lake = Lake(lake_dir)
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                lake.refresh()
                tables = {name: _table_hash(lake, table) for name, table in TABLES.items()}
                return LakeHash(tables, _digest([f"{n} {h}" for n, h in sorted(tables.items())]))
            except duckdb.IOException:
                if attempt == _ATTEMPTS:
                    raise
    except (duckdb.Error, ValueError, KeyError, TypeError) as error:
        raise SandboxError(
            "LAKE-007",
            where=str(lake_dir),
            seen=str(error)[:300],
            expected="segments that can be read",
            fix="take another run: this one is damaged, or of another format",
        ) from error
    finally:
        lake.close()
    raise AssertionError("unreachable")


def _table_hash(lake: Lake, table: Table) -> str:
    """Of the multiset of rows. A cell is its length and its text, so that no two rows read alike."""
    texts = [f'("{column.name}")::VARCHAR' for column in table.columns]
    cells = [f"coalesce(strlen({text}) || ':' || {text}, '-')" for text in texts]
    n, low, high = lake.connection.execute(
        f"SELECT count(*), sum(md5_number_lower(cells)), sum(md5_number_upper(cells)) "
        f"FROM (SELECT {' || '.join(cells)} AS cells FROM {table.name})"
    ).fetchall()[0]
    columns = [f"{column.name} {column.type}" for column in table.columns]
    return _digest([table.name, *columns, str(n), str(low), str(high)])


def _digest(lines: list[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
