"""The writing side of the lake: immutable Parquet segments, and the manifest that names them.

One process writes (the collector), any number read. A segment never changes; a change of what
counts is one atomic replacement of the manifest. A segment that left the manifest stays on disk for
LINGER_S, longer than any reader holds a manifest.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base.run import write_atomically
from sandbox.telemetry.columns import arrow_schema, to_arrow
from sandbox.telemetry.manifest import FORMAT, Segment, read_manifest

LINGER_S = 30.0  # wall seconds; the SQL time limit is 10 s by default
FANOUT = 12  # segments of one level before they are merged into one of the next
MAX_LEVEL = 4  # 12 ** 4 flushes are four hours of a run
MAX_MERGED_ROWS = 60_000  # rows of one merge at most: bounds its memory (about 20 MB) and time
MAX_BUFFERED_ROWS = 50_000  # kept per table while the disk takes nothing, about 30 MB at worst


@dataclass
class Counters:
    """What happened to rows since the process began."""

    written: int = 0
    dropped_full: int = 0  # no space, and the buffer was full
    dropped_bad: int = 0  # values that fit no column
    failures: int = 0  # attempts to write that failed


@dataclass(frozen=True)
class Made:
    """A segment that is written before there is a lake for it. blob: its Parquet file; bad: rows that fit no column,
    and are not among its rows."""

    rows: int
    blob: bytes
    bad: int


def made(table: str, rows: Sequence[Sequence[Any]]) -> Made:
    """Rows of a table as a segment, for `SegmentStore.adopt`."""
    columns, bad = to_arrow(table, rows)
    sink = pa.BufferOutputStream()
    _encode(columns, sink)
    return Made(columns.num_rows, sink.getvalue().to_pybytes(), bad)


@dataclass
class SegmentStore:
    """The writing side of a lake. `add` may be called while another thread does one of the rest.

    wall: seconds from any origin, for when a retired segment may go.
    """

    root: Path
    wall: Callable[[], float]
    erased: Callable[[], np.ndarray] | None = None  # users whose rows are not written any more, int64
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._live: dict[str, list[Segment]] = {}
        self._buffer: dict[str, list[Sequence[Any]]] = {}
        self._adding = threading.Lock()
        self._retired: list[tuple[float, str]] = []  # (when it may go, file)
        self._number = 0
        self._generation = 0
        self._manifest_stale = True
        self._resume()

    def add(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Take rows in; they are visible after the next `flush`."""
        with self._adding:
            self._append(table, rows)

    def _append(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        buffer = self._buffer.setdefault(table, [])
        buffer.extend(rows)
        excess = len(buffer) - MAX_BUFFERED_ROWS
        if excess > 0:  # the disk takes nothing: the oldest go, what is on disk stays
            del buffer[:excess]
            self.counters.dropped_full += excess

    def flush(self) -> int:
        """Write what is buffered and publish it. Returns rows written.

        Raises OSError when the disk takes no more: rows not written stay buffered for the next call.
        """
        return self.publish(self.take_buffer())

    def adopt(self, table: str, ready: Made) -> None:
        """Take in rows that are a segment already; they are visible after the next `flush`. Raises OSError when the
        disk takes no more. For a store that nobody is erased from: it does not look at the rows."""
        assert self.erased is None, "nobody has looked for the erased in it"
        if ready.rows:
            segment = self._placed(table, ready.rows, 0, lambda path: path.write_bytes(ready.blob))
            self._live.setdefault(table, []).append(segment)
            self._manifest_stale = True
        self.counters.written += ready.rows
        self.counters.dropped_bad += ready.bad

    def take_buffer(self) -> dict[str, list[Sequence[Any]]]:
        """The buffered rows by table, which `publish` then writes, on another thread if need be."""
        with self._adding:
            buffer, self._buffer = self._buffer, {}
            return buffer

    def publish(self, buffer: dict[str, list[Sequence[Any]]]) -> int:
        """Write rows and the manifest that names them; may run while `add` is called elsewhere.

        Raises OSError when the disk takes no more: rows not written go back to the buffer.
        """
        written = 0
        waiting = {table: rows for table, rows in buffer.items() if rows}
        try:
            for table, rows in list(waiting.items()):
                columns, bad = to_arrow(table, rows)
                columns = self._heeded(columns)
                if columns.num_rows:
                    segment = self._write(table, columns)
                    self._live.setdefault(table, []).append(segment)
                    self._manifest_stale = True
                del waiting[table]
                self.counters.dropped_bad += bad
                written += columns.num_rows
        finally:
            self.counters.written += written
            with self._adding:
                for table, rows in waiting.items():
                    later = self._buffer.get(table, [])
                    self._buffer[table] = []
                    self._append(table, [*rows, *later])
            self._publish()
        return written

    def compact(self) -> bool:
        """Merge one run of segments of a like size into one, if any table has such a run.

        Returns whether there may be more to do. Raises OSError when the disk takes no more; nothing
        is lost or counted twice then.
        """
        for table, segments in self._live.items():
            batch = mergeable(segments)
            if batch:
                columns = self._heeded(pa.concat_tables([_read(self.root / s.file) for s in batch]))
                merged = self._write(table, columns, level=batch[0].level + 1)
                at = segments.index(batch[0])
                segments[at : at + len(batch)] = [merged]
                self._retired += [(self.wall() + LINGER_S, s.file) for s in batch]
                self._manifest_stale = True
                self._publish()
                return True
        return False

    def sweep(self) -> None:
        """Delete segments that left the manifest LINGER_S ago."""
        if self._manifest_stale:  # the manifest on disk may still name them
            return
        now = self.wall()
        for _, file in [entry for entry in self._retired if entry[0] <= now]:
            (self.root / file).unlink(missing_ok=True)
        self._retired = [entry for entry in self._retired if entry[0] > now]

    @property
    def buffered(self) -> int:
        return sum(len(rows) for rows in self._buffer.values())

    def segments(self, table: str) -> tuple[Segment, ...]:
        return tuple(self._live.get(table, ()))

    def _heeded(self, columns: pa.Table) -> pa.Table:
        """Without rows of the erased: what is late, or was read before they went, must not bring them back."""
        gone = self.erased() if self.erased is not None and "user_id" in columns.column_names else ()
        if not len(gone):
            return columns
        import pyarrow.compute as pc  # 10 MB, which a collector without tombstones never needs

        mine = pc.is_in(columns["user_id"], value_set=pa.array(gone, columns.schema.field("user_id").type))
        return columns.filter(pc.invert(mine))

    def _write(self, table: str, columns: pa.Table, level: int = 0) -> Segment:
        return self._placed(table, columns.num_rows, level, lambda path: _encode(columns, path))

    def _placed(self, table: str, rows: int, level: int, write: Callable[[Path], object]) -> Segment:
        """A new segment, which `write` makes the file of."""
        self._number += 1
        file = f"{table}/{self._number:08d}.parquet"
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        try:
            write(path)
        except BaseException as error:
            self.counters.failures += 1
            with suppress(OSError):
                path.unlink(missing_ok=True)
            if isinstance(error, pa.ArrowException) and not isinstance(error, OSError):
                raise OSError(str(error)) from error
            raise
        return Segment(file, rows, level)

    def _publish(self) -> None:
        if not self._manifest_stale:
            return
        document = {
            "format": FORMAT,
            "generation": self._generation + 1,
            "tables": {t: [[s.file, s.rows, s.level] for s in live] for t, live in self._live.items()},
        }
        write_atomically(self.root / "manifest.json", json.dumps(document))
        self._generation += 1
        self._manifest_stale = False

    def _resume(self) -> None:
        """Go on from what an earlier collector of this run left; its half-written files go later."""
        try:
            for table, entries in read_manifest(self.root).items():
                self._live[table] = [s for s in entries if (self.root / s.file).exists()]
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):  # damaged: rather rows twice than rows lost
            self._adopt()
        live = {s.file for segments in self._live.values() for s in segments}
        for path in self.root.glob("*/*.parquet"):
            file = path.relative_to(self.root).as_posix()
            if path.stem.isdigit():
                self._number = max(self._number, int(path.stem))
            if file not in live:
                self._retired.append((self.wall() + LINGER_S, file))
        with suppress(OSError):  # a full disk at the start: the next flush tries again
            self._publish()

    def _adopt(self) -> None:
        for path in sorted(self.root.glob("*/*.parquet")):
            with suppress(OSError, pa.ArrowException):
                rows = pq.read_metadata(path).num_rows
                file = path.relative_to(self.root).as_posix()
                self._live.setdefault(path.parent.name, []).append(Segment(file, rows))


def _encode(columns: pa.Table, sink: Any) -> None:
    """The one way in which a segment's file is written. sink: a path, or what Arrow writes to."""
    # Statistics leave NaN out, and DuckDB concludes from them that isnan(value) is never true.
    sound = [column.name for column in columns.schema if not pa.types.is_floating(column.type)]
    pq.write_table(columns, sink, compression="zstd", store_schema=False, write_statistics=sound)


def mergeable(segments: Sequence[Segment]) -> list[Segment]:
    """The neighbours to merge: FANOUT of one level that stand together, or as many as fit.

    Levels fall along the list (what is appended is of level 0), so a row is rewritten once a level.
    Empty: nothing to do.
    """
    for level, group in groupby(segments, key=lambda s: s.level):
        run = list(group)
        if level < MAX_LEVEL and len(run) >= FANOUT:
            for start in range(len(run) - 1):
                batch = _fitting(run[start : start + FANOUT])
                if len(batch) > 1:
                    return batch
    return []


def _fitting(run: list[Segment]) -> list[Segment]:
    rows = 0
    for count, segment in enumerate(run):
        rows += segment.rows
        if rows > MAX_MERGED_ROWS:
            return run[:count]
    return run


def read_rows(root: Path, table: str) -> pa.Table:
    """All rows of a table as Arrow, for tests and exports."""
    files = read_manifest(root).get(table, [])
    if not files:
        return arrow_schema(table).empty_table()
    return pa.concat_tables([_read(root / s.file) for s in files])


def _read(path: Path) -> pa.Table:
    # Not pq.read_table: it loads the dataset layer with every cloud file system, 20 MB.
    with pq.ParquetFile(path) as file:
        return file.read(use_threads=False)
