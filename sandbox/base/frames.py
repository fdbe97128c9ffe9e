"""Telemetry on its way from a process to the collector: one frame is rows of one table.

On the stream: 4 bytes, little-endian, the length of what follows; then a msgpack map
{"s": service, "i": instance, "t": table, "r": [[value, ...], ...]} whose values stand in the order
of the table's columns (sandbox.base.schema). TIMESTAMP values are float world seconds since the
epoch, None is NULL. The pseudo-table "_gauges" carries [pool_queue, inflight, gc_gen2_ms, throttled_ms]: what a
process alone knows about itself, merged by the collector into its next row of `procs`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES

GAUGES = "_gauges"
GAUGE_FIELDS = ("pool_queue", "inflight", "gc_gen2_ms", "throttled_ms")
MAX_FRAME_BYTES = 16 * 2**20
ROWS_PER_FRAME = 5_000  # what `encode_all` puts into one: about 1 MiB of most tables

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Frame:
    """Rows of one table from one process. rows: lists of values in the order of the columns."""

    service: str
    instance: str
    table: str
    rows: list[list[Any]]


def encode(service: str, instance: str, table: str, rows: Sequence[Sequence[Any]]) -> bytes:
    """The frame with its length. numpy scalars are sent as plain numbers.

    Raises LAKE-006 when it is larger than MAX_FRAME_BYTES: send fewer rows at once.
    """
    body: bytes = msgpack.packb({"s": service, "i": instance, "t": table, "r": rows}, default=_plain, use_bin_type=True)
    if len(body) > MAX_FRAME_BYTES:
        raise _refused(len(body), f"at most {MAX_FRAME_BYTES} bytes", "send fewer rows in one frame")
    return _LENGTH.pack(len(body)) + body


def encode_all(service: str, instance: str, table: str, rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """The frames of any number of rows, in order. Raises as `encode`."""
    for start in range(0, len(rows), ROWS_PER_FRAME):
        yield encode(service, instance, table, rows[start : start + ROWS_PER_FRAME])


def decode(body: bytes | memoryview) -> Frame:
    """The frame in `body` (without its length), its table and row widths checked.

    Raises LAKE-006 for whatever is not a frame.
    """
    try:
        parts = msgpack.unpackb(body, raw=False, strict_map_key=False)
    except Exception as error:  # msgpack documents no closed set of errors for hostile bytes
        raise _refused(repr(error), "a msgpack map", "send what sandbox.base.frames.encode makes") from None
    if not isinstance(parts, dict) or not all(isinstance(parts.get(k), str) for k in "sit"):
        raise _refused(type(parts).__name__, "a map with strings s, i and t", "use frames.encode")
    table, rows = parts["t"], parts.get("r")
    if table != GAUGES and table not in TABLES:
        raise _refused(table[:80], f"one of {len(TABLES)} tables of the schema", "name a table of sandbox.base.schema")
    width = len(GAUGE_FIELDS) if table == GAUGES else len(TABLES[table].columns)
    if not isinstance(rows, list) or not all(isinstance(r, list) and len(r) == width for r in rows):
        raise _refused(f"rows of {table}", f"a list of lists of {width} values", "send every column, None for NULL")
    return Frame(parts["s"], parts["i"], table, rows)


class Decoder:
    """Cuts a byte stream into frames. After an error the stream is lost: close the connection."""

    def __init__(self, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        self._pending = bytearray()
        self._limit = limit_bytes

    def feed(self, received: bytes) -> Iterator[Frame]:
        """The frames completed by `received`, in order. Raises LAKE-006."""
        self._pending += received
        start = 0
        try:
            while len(self._pending) - start >= _LENGTH.size:
                (size,) = _LENGTH.unpack_from(self._pending, start)
                if size > self._limit:
                    raise _refused(size, f"at most {self._limit} bytes", "send fewer rows in one frame")
                end = start + _LENGTH.size + size
                if len(self._pending) < end:
                    break
                body = bytes(self._pending[start + _LENGTH.size : end])
                start = end
                yield decode(body)
        finally:
            del self._pending[:start]

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame whose rest has not come yet."""
        return len(self._pending)


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):  # a numpy scalar
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be sent to the collector")


def _refused(seen: object, expected: str, fix: str) -> SandboxError:
    return SandboxError("LAKE-006", where="telemetry frame", seen=seen, expected=expected, fix=fix)
