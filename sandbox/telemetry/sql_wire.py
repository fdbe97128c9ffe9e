"""How SQL results travel between the worker and whoever asked: lengths, and values msgpack lacks."""

from __future__ import annotations

import datetime as dt
import struct
from decimal import Decimal
from typing import Any, BinaryIO

import msgpack

_LENGTH = struct.Struct("<I")
_DATETIME, _DATE, _TIME, _INTERVAL = 1, 2, 3, 4


def read_message(source: BinaryIO) -> bytes | None:
    """The next message, None at the end (or in the middle of a message that was cut off)."""
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    body = source.read(size)
    return body if len(body) == size else None


def write_message(sink: BinaryIO, body: bytes) -> None:
    sink.write(_LENGTH.pack(len(body)) + body)
    sink.flush()


def pack(answer: Any) -> bytes:
    """msgpack with times; whole numbers beyond 64 bits become floats, what else is odd its text."""
    try:
        return _pack(answer)
    except OverflowError:
        return _pack(_narrow(answer))


def unpack(body: bytes) -> Any:
    return msgpack.unpackb(body, ext_hook=_unpack_time, strict_map_key=False)


def _pack(answer: Any) -> bytes:
    packed: bytes = msgpack.packb(answer, default=_pack_odd, unicode_errors="replace")
    return packed


def _pack_odd(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return msgpack.ExtType(_DATETIME, value.isoformat().encode())
    if isinstance(value, dt.date):
        return msgpack.ExtType(_DATE, value.isoformat().encode())
    if isinstance(value, dt.time):
        return msgpack.ExtType(_TIME, value.isoformat().encode())
    if isinstance(value, dt.timedelta):
        return msgpack.ExtType(_INTERVAL, repr(value.total_seconds()).encode())
    return float(value) if isinstance(value, Decimal) else str(value)


def _unpack_time(code: int, text: bytes) -> Any:
    match code:
        case 1:
            return dt.datetime.fromisoformat(text.decode())
        case 2:
            return dt.date.fromisoformat(text.decode())
        case 3:
            return dt.time.fromisoformat(text.decode())
    return dt.timedelta(seconds=float(text))


def _narrow(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _narrow(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_narrow(part) for part in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value)
    return value
