"""Rows as they came over the wire, as Arrow columns of the types that the schema promises."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sandbox.base.schema import TABLES, Table

ARROW: dict[str, pa.DataType] = {
    "TIMESTAMP": pa.timestamp("us"),
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
}
assert {c.type for t in TABLES.values() for c in t.columns} <= set(ARROW), "a type has no Arrow type"

_MAX_TS = 2.5e11  # about the year 9900: what lies beyond is no world time
_RANGE = {"INTEGER": 2**31, "BIGINT": 2**63}


@functools.cache
def arrow_schema(table: str) -> pa.Schema:
    return pa.schema([(c.name, ARROW[c.type]) for c in TABLES[table].columns])


def to_arrow(table: str, rows: Sequence[Sequence[Any]]) -> tuple[pa.Table, int]:
    """The rows as a table of `arrow_schema(table)`, and how many rows had to be left out.

    rows: values in the order of the columns; TIMESTAMP as float seconds since the epoch, None or
    NaN for NULL. A value that is not of its column's type is converted where nothing is lost
    (1 for true, 3 for '3'); a row with a value that cannot be is left out.
    """
    spec = TABLES[table]
    try:
        return _columns(spec, rows), 0
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        good = [row for row in (_coerced(spec, row) for row in rows) if row is not None]
        try:
            return _columns(spec, good), len(rows) - len(good)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return arrow_schema(table).empty_table(), len(rows)


def _columns(spec: Table, rows: Sequence[Sequence[Any]]) -> pa.Table:
    arrays = []
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(spec.columns)
    for column, values in zip(spec.columns, by_column, strict=True):
        make = _timestamps if column.type == "TIMESTAMP" else _array
        arrays.append(make(values, ARROW[column.type]))
    return pa.Table.from_arrays(arrays, schema=arrow_schema(spec.name))


def _array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    return pa.array(values, type=type_)


def _timestamps(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    seconds = np.array(values, dtype=np.float64)  # None becomes NaN
    null = np.isnan(seconds)
    seconds[null] = 0.0
    if (np.abs(seconds) > _MAX_TS).any():
        raise ValueError("a time beyond every calendar")
    return pa.array(np.round(seconds * 1e6).astype("datetime64[us]"), type=type_, mask=null)


def _coerced(spec: Table, row: Sequence[Any]) -> list[Any] | None:
    if len(row) != len(spec.columns):
        return None
    try:
        return [
            None if value is None else _COERCE[column.type](value)
            for column, value in zip(spec.columns, row, strict=True)
        ]
    except (TypeError, ValueError, OverflowError):
        return None


def _whole(bound: int) -> Callable[[Any], int | None]:
    def whole(value: Any) -> int | None:
        if isinstance(value, float) and math.isnan(value):
            return None
        number = int(value)
        if not -bound <= number < bound:
            raise OverflowError(number)
        return number

    return whole


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    # Lone surrogates pass through msgpack in some languages; Parquet takes UTF-8 only.
    return str(value).encode("utf-8", "replace").decode()


def _seconds(value: Any) -> float:
    number = float(value)
    if abs(number) > _MAX_TS:
        raise OverflowError(number)
    return number


_COERCE: dict[str, Callable[[Any], Any]] = {
    "TIMESTAMP": _seconds,
    "VARCHAR": _text,
    "BIGINT": _whole(_RANGE["BIGINT"]),
    "INTEGER": _whole(_RANGE["INTEGER"]),
    "DOUBLE": float,
    "BOOLEAN": bool,
}
