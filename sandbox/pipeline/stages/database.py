"""DuckDB as the stages use it: two threads, bounded memory, and silent, as progress is told by the run."""

from __future__ import annotations

from pathlib import Path

import duckdb

THREADS, MEMORY_MB = 2, 2_000


def connect(spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """spill: folder for what does not fit into memory, made when it is needed; None: a query that needs more fails."""
    db = duckdb.connect(
        ":memory:",
        config={"threads": THREADS, "memory_limit": f"{MEMORY_MB}MB", "temp_directory": str(spill) if spill else ""},
    )
    db.execute("SET enable_progress_bar = false")
    return db
