"""A file's bytes, whatever they are packed in, and what kind of table they hold."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from sandbox.world.importers.source import refuse

DAMAGED = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error, RuntimeError,
    NotImplementedError,
)  # fmt: skip
"""What the unpackers raise for an archive that is cut off, broken, encrypted or of a rare make."""
HEAD = 1 << 16
READS = "delimited text, JSON lines or Parquet, plain or as .gz, .bz2, .xz or .zip"
_DEEPEST = 3  # packings within each other
_STREAMS: dict[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    **{b"BZh%d1AY&SY" % level: bz2.BZ2File for level in range(1, 10)},
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_ZIP = b"PK\x03\x04"
_NOT_READ = {
    b"\x28\xb5\x2f\xfd": "a Zstandard archive (.zst)",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\x04\x22\x4d\x18": "an LZ4 archive",
    b"PK\x05\x06": "an empty .zip archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls)",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file (Feather)",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"%PDF": "a PDF",
    b"\x80\x04\x95": "a Python pickle",
    b"\x80\x05\x95": "a Python pickle",
    b"<!doctype": "a web page",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML document",
}
_ALSO_WORDS = (b"Rar!", b"ARROW1", b"ORC")  # with which a header may begin
_BESIDE = {".md", ".pdf", ".html", ".htm", ".py", ".ipynb", ".png", ".jpg", ".sql"}  # no tables
_BESIDE_NAMES = ("readme", "license", "licence", "note", "changelog", "citation")


def open_bytes(path: Path) -> BinaryIO:
    """The unpacked bytes of a file, or of a member: ARCHIVE.zip/MEMBER.

    Raises WORLD-002 where there is no such file or what is there cannot be unpacked; later reads
    may still raise one of DAMAGED.
    """
    archive, member = located(path)
    file: BinaryIO = archive.open("rb")
    try:
        for _ in range(_DEEPEST):
            head = cast(io.BufferedReader, file).peek(16)
            if head.startswith(_ZIP):
                file = _member(path, archive, file, member)
                member = ""
                continue
            unpack = next((u for magic, u in _STREAMS.items() if head.startswith(magic)), None)
            if unpack is None:
                break
            file = cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, unpack(file))))
        return file
    except DAMAGED as error:
        damaged(path, error)


def kind_of(path: Path) -> str:
    """parquet, json or text. Raises WORLD-002, naming the form, for what is none of them."""
    head = head_of(path)
    if head.startswith(b"PAR1"):
        return "parquet"
    for magic, name in _NOT_READ.items():
        word = magic in _ALSO_WORDS and b"\0" not in head[:512]
        if head.lstrip().startswith(magic) and not word:
            refuse(str(path), name, READS, "export or unpack the table as one of these")
    if head[257:262] == b"ustar":
        refuse(str(path), "a tar archive", READS, "unpack it and name the file with the table")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json" if start[:1] == b"{" or (start[:1] == b"[" and b"{" in start[:64]) else "text"


def head_of(path: Path) -> bytes:
    """The first HEAD unpacked bytes. Raises WORLD-002."""
    try:
        with open_bytes(path) as file:
            return file.read(HEAD)
    except DAMAGED as error:
        damaged(path, error)


def located(path: Path) -> tuple[Path, str]:
    """The file itself and "", or the archive that a path leads into and the member's name.

    Raises WORLD-002 where there is neither.
    """
    if path.is_file():
        return path, ""
    for parent in path.parents:
        if parent.is_file() and zipfile.is_zipfile(parent):
            return parent, path.relative_to(parent).as_posix()
    seen = "a folder" if path.is_dir() else "no such file"
    there = sorted(p.name for p in path.iterdir())[:8] if path.is_dir() else []
    refuse(
        str(path),
        f"{seen} with {', '.join(there)}" if there else seen,
        "a readable file",
        "name the file that holds the table" if there else "check the path",
    )


def damaged(path: Path, error: BaseException) -> NoReturn:
    """Raises WORLD-002 for what an unpacker raised."""
    refuse(
        str(path),
        str(error) or type(error).__name__,
        f"a whole file: {READS}",
        "fetch the file again, or unpack it yourself",
    )


def digest_of(*paths: Path) -> str:
    """SHA-256 of the bytes of several files as they lie there, in the order given."""
    whole = hashlib.sha256()
    for path in paths:
        archive, member = located(path)
        whole.update(member.encode())
        with archive.open("rb") as file:
            while block := file.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()


def _member(path: Path, archive: Path, file: BinaryIO, wanted: str) -> BinaryIO:
    packed = zipfile.ZipFile(file)
    names = [info.filename for info in packed.infolist() if not info.is_dir()]
    if "[Content_Types].xml" in names:
        refuse(str(path), "an Office document (.xlsx or the like)", READS, "export it as CSV")
    tables = [name for name in names if _may_be_table(name)]
    if wanted and wanted not in names:
        refuse(
            str(path),
            f"no {wanted} in it",
            f"one of {tables[:12]}",
            f"name one of these: {archive}/{tables[0] if tables else 'MEMBER'}",
        )
    if not wanted and len(tables) != 1:
        refuse(
            str(path),
            f"{len(tables)} tables: {', '.join(tables[:12])}" if tables else "no table",
            "an archive with one table",
            f"say which: {archive}/{tables[0]}" if tables else "name another file",
        )
    inside = packed.open(wanted or tables[0])
    return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, inside)))


def _may_be_table(name: str) -> bool:
    base = Path(name).name.casefold()
    hidden = name.startswith("__MACOSX/") or base.startswith(".")
    suffix = Path(base).suffix
    about = base.startswith(_BESIDE_NAMES) and suffix in ("", ".txt")
    return not (hidden or about or suffix in _BESIDE)
