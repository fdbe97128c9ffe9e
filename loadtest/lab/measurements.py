"""Anybody's measurements of concurrency and throughput, read from a CSV file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sandbox.base.errors import SandboxError

Floats = NDArray[np.float64]
MOST = 100_000  # measurements of one file
LARGEST_BYTES = 10_000_000


def read_csv(path: Path, names: tuple[str, ...] = ("n", "x"), most: int = MOST) -> tuple[Floats, ...]:
    """The columns of these names, float64 [m] each, in the order of the file. Other columns are left alone.

    Raises CFG-002 where there is no such file, CFG-003 for a file that is too large, lacks a column, or holds a
    value that is no number.
    """
    rows = csv.reader(io.StringIO(_text(path), newline=""))
    header = [word.strip().lower() for word in next(rows, [])]
    missing = [name for name in names if name not in header]
    if missing:
        raise _refused(path, f"columns {', '.join(header[:12]) or 'none'}", f"a first line with {', '.join(names)}")
    places = [header.index(name) for name in names]
    found: list[list[float]] = []
    for row in rows:
        if not any(word.strip() for word in row):
            continue
        if len(found) >= most:
            raise _refused(path, f"more than {most} rows", f"at most {most}")
        found.append(_numbers(path, rows.line_num, row, places, names))
    table = np.array(found, np.float64).reshape(-1, len(names))
    return tuple(table.T.copy())


def _numbers(path: Path, line: int, row: list[str], places: list[int], names: tuple[str, ...]) -> list[float]:
    try:
        values = [float(row[place]) for place in places]
    except (ValueError, IndexError):
        raise _refused(path, f"line {line}: {','.join(row)[:80]}", f"a number for each of {', '.join(names)}") from None
    if not np.isfinite(values).all():
        raise _refused(path, f"line {line}: {','.join(row)[:80]}", "finite numbers")
    return values


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise _refused(path, f"{size} bytes", f"at most {LARGEST_BYTES}")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(path, "bytes that are no UTF-8", "a text file with commas between values") from None
    except OSError as error:
        raise SandboxError(
            "CFG-002",
            where="measurements",
            seen=f"{path}: {error.strerror}",
            expected="a CSV file",
            fix="check the path",
        ) from error


def _refused(path: Path, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-003", where=str(path), seen=seen, expected=expected, fix="correct the file; see docs/load.md"
    )
