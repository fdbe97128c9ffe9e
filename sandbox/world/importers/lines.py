"""Bytes of unknown make into lines of text: encoding and line ends recognised, memory bounded."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sandbox.world.importers.source import Skips, refuse
from sandbox.world.importers.unpack import DAMAGED, damaged, head_of, open_bytes

MAX_LINE = 1 << 20  # bytes
MAX_BYTES = 4 << 30  # unpacked; a small archive may hide a huge file
_BLOCK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(path: Path) -> str:
    """utf-16, utf-32, or utf-8, in which lines that are not UTF-8 are read as Windows-1252.

    Raises WORLD-002 for a file that is no text.
    """
    head = head_of(path)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    nul = head.count(0)
    if nul > 0.3 * len(head):  # no mark at the front: Latin text in UTF-16 has every other byte 0
        for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):
            if head[start::2].count(0) > 0.7 * (len(head) // 2):
                return name
    if nul > 0.02 * len(head):
        refuse(
            str(path),
            f"binary content ({head[:8]!r}...)",
            "delimited text, JSON lines or Parquet",
            "export the table as CSV",
        )
    return "utf-8"


def read_lines(path: Path, encoding: str, skipped: Skips) -> Iterator[str]:
    """Lines without their ends, whatever those are. A line beyond MAX_LINE is skipped and counted.

    Raises WORLD-002 when an archive is damaged or more than MAX_BYTES come out of it.
    """
    try:
        with open_bytes(path) as file:
            if encoding == "utf-8":
                yield from _blocks(path, file, skipped)
            else:
                text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline=None)
                while line := text.readline(MAX_LINE):
                    yield line.removesuffix("\n")
    except DAMAGED as error:
        damaged(path, error)


def holds(path: Path, sign: bytes) -> bool:
    """Whether a byte occurs anywhere in the unpacked file. Raises WORLD-002."""
    try:
        with open_bytes(path) as file:
            return any(sign in block for block in iter(lambda: file.read(_BLOCK), b""))
    except DAMAGED as error:
        damaged(path, error)


def _blocks(path: Path, file: BinaryIO, skipped: Skips) -> Iterator[str]:
    """Many lines are decoded at once; only where that fails, each by itself."""
    rest, total, dropping, end = b"", 0, False, b""
    while data := file.read(_BLOCK):
        total += len(data)
        if total > MAX_BYTES:
            refuse(
                str(path),
                f"more than {MAX_BYTES >> 30} GiB unpacked",
                "a log of at most that size",
                "cut the log to a shorter period",
            )
        if not end:  # files of old Macintoshes have no line feeds
            data = data.removeprefix(codecs.BOM_UTF8)
            end = b"\r" if b"\r" in data and b"\n" not in data else b"\n"
        cut = data.rfind(end)
        if cut < 0:
            rest += b"" if dropping else data
            if len(rest) > MAX_LINE:
                skipped.row("line too long", str(path))
                rest, dropping = b"", True
            continue
        whole = rest + data[:cut]
        rest = data[cut + 1 :]
        if dropping:
            whole, dropping = whole[data.index(end) + 1 :], False
        yield from _decoded(whole, end, skipped)
    if rest:
        yield from _decoded(rest, end, skipped)


def _decoded(block: bytes, end: bytes, skipped: Skips) -> list[str]:
    try:
        lines = block.decode("utf-8").split(end.decode())
    except UnicodeDecodeError:
        lines = [_decode(raw, skipped) for raw in block.split(end)]
    return [line.removesuffix("\r") for line in lines] if b"\r" in block else lines


def _decode(raw: bytes, skipped: Skips) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        skipped.foreign += 1
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
