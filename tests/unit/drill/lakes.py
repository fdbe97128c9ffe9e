"""Lakes of a few rows, written as a run writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.base.schema import TABLES
from sandbox.telemetry.segments import SegmentStore


def write(lake_dir: Path, **tables: list[dict[str, Any]]) -> None:
    """Rows by table, each by column; columns that are not named stay empty. Times: world seconds."""
    store = SegmentStore(lake_dir, wall=lambda: 0.0)
    for table, rows in tables.items():
        store.add(table, [[row.get(name) for name in TABLES[table].names] for row in rows])
    store.flush()
