"""JSON (a document per line, or one array) and Parquet, as tables of text."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.world.importers.lines import encoding_of, read_lines
from sandbox.world.importers.source import Skips, refuse
from sandbox.world.importers.unpack import DAMAGED, damaged, head_of, located, open_bytes

_MAX_COLUMNS = 2_000
_MAX_WHOLE = 1 << 30  # bytes of a JSON array or a packed Parquet file, which are held whole
_BATCH = 16_384  # rows of a Parquet file at once
_DEEPEST = 3  # documents within documents whose fields become columns: user.id
_NO_ROW = "no JSON object"


@dataclass(frozen=True)
class RecordTable:
    """A file of records. names: of every field that any record has, in the order of first sight."""

    path: Path
    names: tuple[str, ...]
    form: str  # json or parquet
    has_header: bool = True

    @property
    def width(self) -> int:
        return len(self.names)

    def line(self, number: int) -> str:
        return f"{self.path}, row {number}"

    def rows(self, skipped: Skips) -> Iterator[tuple[int, list[str]]]:
        """Number (from 1) and texts of every record, "" for what it lacks; what is none is counted."""
        place = {name: k for k, name in enumerate(self.names)}
        documents = _parquet(self.path) if self.form == "parquet" else _json(self.path, skipped)
        for number, document in enumerate(documents, 1):
            if document is None:
                skipped.row(_NO_ROW, self.line(number))
                continue
            row = [""] * len(place)
            for name, value in document.items():
                row[place[name]] = text_of(value)
            yield number, row


def open_records(path: Path, form: str) -> RecordTable:
    """form: json or parquet. Raises WORLD-002 for a damaged file and for one without records."""
    names: dict[str, None] = {}
    if form == "parquet":
        names = dict.fromkeys(_flat_names(_parquet_file(path).schema_arrow))
    else:
        for document in _json(path, Skips()):
            names.update(dict.fromkeys(document or ()))
            if len(names) > _MAX_COLUMNS:
                refuse(
                    str(path),
                    f"more than {_MAX_COLUMNS} different fields",
                    "a record per interaction",
                    "write a line for each interaction, with the same fields in all of them",
                )
    if not names:
        refuse(
            str(path),
            "no record with a field",
            "a JSON object per line, or an array of them",
            "name the file that holds the records",
        )
    return RecordTable(path, tuple(names), form)


def text_of(value: Any) -> str:
    """As a delimited file would have it; "" for nothing. Whole numbers have no decimal point."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        if value != value:  # not a number
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e18 else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    if isinstance(value, list | tuple):
        return "|".join(text_of(part) for part in value)
    return json.dumps(value, default=str) if isinstance(value, dict) else str(value)


def _flattened(document: dict[str, Any], deep: int = 1) -> dict[str, Any]:
    if not any(isinstance(value, dict) for value in document.values()):
        return document
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict) and value and deep < _DEEPEST:
            inner = _flattened(value, deep + 1)
            flat.update({f"{name}.{key}": part for key, part in inner.items()})
        else:
            flat[name] = value
    return flat


def _json(path: Path, skipped: Skips) -> Iterator[dict[str, Any] | None]:
    """Every record; None for what is no object. Raises WORLD-002 for an array that breaks off."""
    encoding = encoding_of(path)
    head = head_of(path).decode(encoding, "ignore").lstrip("\ufeff \t\r\n")
    if head.startswith("[") or _goes_on(head.partition("\n")[0].strip()):
        yield from _whole(path, encoding)
        return
    for line in read_lines(path, encoding, skipped):
        if line.strip():
            yield _object(line.strip().removesuffix(","))


def _goes_on(line: str) -> bool:
    """Whether a first line is only the beginning of a document that is spread over lines."""
    try:
        json.loads(line)
    except ValueError as error:
        return getattr(error, "pos", 0) >= len(line)
    return False


def _object(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _flattened(document) if isinstance(document, dict) else None


def _whole(path: Path, encoding: str) -> Iterator[dict[str, Any] | None]:
    """Records of one array, or of documents that are written over several lines."""
    text = _whole_text(path, encoding)
    read, at = json.JSONDecoder(), _after_blanks(text, 0)
    closing = text.startswith("[", at)
    at = _after_blanks(text, at + 1) if closing else at
    while at < len(text):
        if closing and text[at] == "]":
            return
        try:
            document, at = read.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            row = text.count("\n", 0, at) + 1
            refuse(
                f"{path}, line {row}",
                str(error),
                "a whole JSON array or a document per line",
                "fetch or export the file again",
            )
        yield _flattened(document) if isinstance(document, dict) else None
        at = _after_blanks(text, at)
    if closing:
        refuse(
            str(path), "an array that breaks off", "a whole JSON array, closed by ]", "fetch or export the file again"
        )


def _whole_text(path: Path, encoding: str) -> str:
    data = _whole_bytes(path, "write a document per line (JSON lines): those are read one by one")
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _whole_bytes(path: Path, fix: str) -> bytes:
    """Of what has to be held whole: at most _MAX_WHOLE. Raises WORLD-002."""
    try:
        with open_bytes(path) as file:
            data = file.read(_MAX_WHOLE + 1)
    except DAMAGED as error:
        damaged(path, error)
    if len(data) > _MAX_WHOLE:
        refuse(str(path), "more than 1 GiB unpacked", "at most 1 GiB of this form", fix)
    return data


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


def _parquet_file(path: Path) -> pq.ParquetFile:
    archive, member = located(path)
    try:
        with archive.open("rb") as file:
            plain = file.read(4) == b"PAR1" and not member
        if plain:
            return pq.ParquetFile(archive)
        return pq.ParquetFile(io.BytesIO(_whole_bytes(path, "unpack it: a plain file may be larger")))
    except (pa.ArrowException, *DAMAGED) as error:
        damaged(path, error)


def _flat_names(schema: pa.Schema) -> list[str]:
    names: list[str] = []

    def add(prefix: str, kind: pa.DataType, deep: int) -> None:
        if pa.types.is_struct(kind) and deep < _DEEPEST:
            for part in kind:
                add(f"{prefix}.{part.name}", part.type, deep + 1)
        names.append(prefix)

    for part in schema:
        add(part.name, part.type, 1)
    structs = {name.rpartition(".")[0] for name in names}
    return [name for name in names if name not in structs]


def _parquet(path: Path) -> Iterator[dict[str, Any] | None]:
    file = _parquet_file(path)
    try:
        names = _flat_names(file.schema_arrow)
        for batch in file.iter_batches(_BATCH):
            for document in batch.to_pylist():
                flat = _flattened(document)
                yield {name: flat[name] for name in names if name in flat}
    except (pa.ArrowException, *DAMAGED) as error:
        damaged(path, error)
