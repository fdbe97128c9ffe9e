"""Reading the lake: DuckDB views over the segments that the manifest names, typed and commented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from sandbox.base.schema import IC_COMMENT, IC_VIEW, TABLES, Table
from sandbox.telemetry.manifest import read_manifest

WORLD_NOW = "CREATE OR REPLACE MACRO world_now() AS (SELECT max(ts) FROM procs)"
IC_COLUMNS = {
    "clicked": "1 where the item was clicked, else 0",
    "converted": "1 where it was converted, else 0",
    "dwell_s": "longest dwell after the click, seconds, NULL where there is none",
    "hidden": "1 where the user hid it, else 0",
}
_ATTEMPTS = 3  # a file can vanish under a reader that held a manifest for longer than LINGER_S


class Lake:
    """Views over one lake. `refresh` brings them up to the manifest of now, `comment` puts the schema's comments on.

    root: the lake's folder, which need not exist yet: then every table is empty.
    until_ts: only what had been written by then, world seconds since the epoch; None for all.
    locked: no file outside the lake, no network, no extension, no setting can be reached any more.
    """

    def __init__(
        self, root: Path, *, locked: bool = False, memory_mb: int = 512, threads: int = 1, until_ts: float | None = None
    ) -> None:
        self.root, self._until_ts = root.resolve(), until_ts
        self.connection = duckdb.connect(
            ":memory:",
            config={
                "threads": threads,
                "memory_limit": f"{memory_mb}MB",
                "temp_directory": "",  # no spilling: a query that needs more is stopped
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,  # or SQL could name this process's variables
            },
        )
        # Who asks tells of progress, where anybody does: a bar of DuckDB's own would write over that.
        self.connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        self._files: dict[str, list[str]] = {}
        self._commented = False
        for table in TABLES.values():
            self._create(table, has_rows=False)
        self.connection.execute(IC_VIEW)
        self.connection.execute(WORLD_NOW)
        if locked:
            self.connection.execute(f"SET allowed_directories = {_literal([str(self.root)])}")
            self.connection.execute("SET enable_external_access = false")
            self.connection.execute("SET lock_configuration = true")

    def refresh(self) -> None:
        """Take up the segments that were published since. About 1 ms when few tables changed."""
        try:
            live = read_manifest(self.root)
        except FileNotFoundError:
            live = {}
        for name, table in TABLES.items():
            files = [str(self.root / segment.file) for segment in live.get(name, [])]
            before = self._files.get(name, [])
            if files == before:
                continue
            self.connection.execute(f"SET VARIABLE files_{name} = {_literal(files)}")
            if bool(files) != bool(before):
                self._create(table, has_rows=bool(files))
            self._files[name] = files

    def comment(self) -> None:
        """Views and columns tell what they hold to whoever asks the catalogue. Few do, and opening a lake would
        take three times as long with it: so it is done when somebody asks, and once."""
        if not self._commented:
            self._commented = True
            for table in TABLES.values():
                self._comment_on(table.name, f"one row per {table.row}", _comments(table))
            self._comment_on("ic", IC_COMMENT, _comments(TABLES["impressions"]) | IC_COLUMNS)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query on the lake of now."""
        for attempt in range(_ATTEMPTS):
            self.refresh()
            try:
                return self.connection.execute(sql, list(parameters)).fetchall()
            except duckdb.IOException:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        self.connection.close()

    def _create(self, table: Table, *, has_rows: bool) -> None:
        """The view of one table. It reads whatever files its variable names when it is queried."""
        casts = ", ".join(f'{c.name if has_rows else "NULL"}::{c.type} AS "{c.name}"' for c in table.columns)
        source = f"read_parquet(getvariable('files_{table.name}'))" if has_rows else "(SELECT 1)"
        where = self._where(table) if has_rows else " WHERE false"
        self.connection.execute(f"CREATE OR REPLACE VIEW {table.name} AS SELECT {casts} FROM {source}{where}")
        if self._commented:
            self._comment_on(table.name, f"one row per {table.row}", _comments(table))

    def _comment_on(self, view: str, whole: str, columns: dict[str, str]) -> None:
        each = "".join(f'COMMENT ON COLUMN {view}."{name}" IS {_literal(text)};' for name, text in columns.items())
        self.connection.execute(f"COMMENT ON VIEW {view} IS {_literal(whole)};{each}")

    def _where(self, table: Table) -> str:
        """Tables without a time of writing say what was there from the beginning."""
        written = next((c for c in ("ts", "ingest_ts", "intended_ts") if c in table.names), None)
        if self._until_ts is None or written is None:
            return ""
        return f" WHERE {written} < make_timestamp({round(self._until_ts * 1e6)})"


def connect(lake_dir: Path) -> duckdb.DuckDBPyConnection:
    """A connection with a view for every table of the schema, and `ic`, as the lake is now.

    Segments it refers to stay on disk for 30 s; to follow a lake that grows, or for the comments, keep a `Lake`.
    """
    lake = Lake(lake_dir)
    lake.refresh()
    return lake.connection


def _comments(table: Table) -> dict[str, str]:
    return {column.name: column.comment for column in table.columns}


def _literal(value: str | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_literal(part) for part in value)}]::VARCHAR[]"
    return "'" + value.replace("'", "''") + "'"
