"""A log is read in whatever form people have it, or the refusal names the form."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.base.errors import SandboxError
from sandbox.world.importers import table
from sandbox.world.importers.source import Source

HEAD = ("user_id", "item_id", "rating", "timestamp")


def as_csv(rows) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([HEAD, *rows])
    return text.getvalue().encode()


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return packed.getvalue()


def as_parquet(rows) -> bytes:
    packed = io.BytesIO()
    columns = zip(*rows, strict=True)
    pq.write_table(pa.table(dict(zip(HEAD, map(list, columns), strict=True))), packed)
    return packed.getvalue()


def as_json_lines(rows) -> bytes:
    return "\n".join(json.dumps(dict(zip(HEAD, row, strict=True))) for row in rows).encode()


def as_json_array(rows) -> bytes:
    return json.dumps([dict(zip(HEAD, row, strict=True)) for row in rows], indent=1).encode()


FORMS = {
    "plain": as_csv,
    "gzip": lambda rows: gzip.compress(as_csv(rows)),
    "bzip2": lambda rows: bz2.compress(as_csv(rows)),
    "xz": lambda rows: lzma.compress(as_csv(rows)),
    "zip": lambda rows: zipped(**{"log.csv": as_csv(rows), "README.md": b"about"}),
    "zip within a folder, made on a Mac": lambda rows: zipped(
        **{"data__log.csv": as_csv(rows), "__MACOSX/data/._log.csv": b"\x00\x05"}
    ),
    "gzip in a zip": lambda rows: zipped(**{"log.csv.gz": gzip.compress(as_csv(rows))}),
    "JSON lines": as_json_lines,
    "JSON lines, packed": lambda rows: gzip.compress(as_json_lines(rows)),
    "JSON array": as_json_array,
    "JSON with a byte order mark": lambda rows: b"\xef\xbb\xbf" + as_json_lines(rows),
    "Parquet": as_parquet,
    "Parquet in a zip": lambda rows: zipped(**{"log.parquet": as_parquet(rows)}),
    "byte order mark and CRLF": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
    "UTF-16": lambda rows: as_csv(rows).decode().encode("utf-16"),
    "UTF-32": lambda rows: as_csv(rows).decode().encode("utf-32"),
    "double colons": lambda rows: as_csv(rows).replace(b",", b"::"),
}


def read(path: Path, content: bytes, **rest) -> Source:
    path.write_bytes(content)
    return table.read(path, **rest)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_log_is_read_in_every_form(small_log, tmp_path: Path, form: str) -> None:
    plain = read(tmp_path / "plain.csv", as_csv(small_log))
    source = read(tmp_path / "log", FORMS[form](small_log))
    assert (source.rows, len(source.log), dict(source.skipped)) == (1_500, 1_500, {})
    assert source.users.key == plain.users.key
    for column in ("user", "item", "ts", "value"):
        np.testing.assert_array_equal(getattr(source.log, column), getattr(plain.log, column))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\x28\xb5\x2f\xfd" + bytes(99), "Zstandard"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(99), "7-Zip"),
        (b"SQLite format 3\x00" + bytes(99), "SQLite"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"%PDF-1.7 ...", "PDF"),
        (zipped(**{"[Content_Types].xml": b"<x/>", "xl__workbook.xml": b"<x/>"}), "Office"),
        (zipped(**{"a.csv": b"a,b\n1,2\n", "b.csv": b"a,b\n1,2\n"}), "2 tables: a.csv, b.csv"),
        (zipped(**{"README.md": b"nothing else"}), "no table"),
        (zipped()[:60], "empty .zip"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        read(tmp_path / "log", content)
    assert says in str(refused.value.seen)
    assert refused.value.where.startswith(str(tmp_path / "log"))


def test_a_member_of_an_archive_is_read_by_its_path(small_log, tmp_path: Path) -> None:
    packed = zipped(**{"ml__ratings.csv": as_csv(small_log), "ml__tags.csv": b"a,b\n1,2\n"})
    (tmp_path / "ml.zip").write_bytes(packed)
    assert len(table.read(tmp_path / "ml.zip" / "ml/ratings.csv").log) == 1_500
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        table.read(tmp_path / "ml.zip" / "ratings.csv")
    assert "ml/ratings.csv" in refused.value.expected


def test_a_tar_archive_is_named(small_log, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("log.csv")
        info.size = len(as_csv(small_log))
        archive.addfile(info, io.BytesIO(as_csv(small_log)))
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        read(tmp_path / "log.tar.gz", packed.getvalue())
    assert "tar" in str(refused.value.seen)


@pytest.mark.parametrize("form", ["gzip", "bzip2", "xz", "zip", "Parquet", "JSON array"])
def test_a_file_that_breaks_off_is_refused(small_log, tmp_path: Path, form: str) -> None:
    whole = FORMS[form](small_log)
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        read(tmp_path / "log", whole[: len(whole) // 2])
    assert "again" in refused.value.fix


@pytest.mark.parametrize("form", ["gzip", "bzip2", "xz", "zip", "Parquet"])
def test_a_file_with_spoilt_bytes_ends_in_an_answer(small_log, tmp_path: Path, form: str) -> None:
    whole = bytearray(FORMS[form](small_log))
    for place in range(len(whole) // 3, len(whole) // 3 + 40):
        whole[place] ^= 0xFF
    try:
        source = read(tmp_path / "log", bytes(whole))
    except SandboxError:
        return
    assert source.rows == len(source.log) + sum(source.skipped.values())


def test_a_folder_is_refused_with_what_is_in_it(small_log, tmp_path: Path) -> None:
    (tmp_path / "part-0.parquet").write_bytes(as_parquet(small_log))
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        table.read(tmp_path)
    assert "part-0.parquet" in str(refused.value.seen)


def test_json_of_mixed_types_is_read_and_what_is_no_record_counted(small_log, tmp_path: Path) -> None:
    rows = [dict(zip(HEAD, row, strict=True)) for row in small_log]
    rows[0]["user_id"], rows[1]["user_id"] = 17, "17"  # a number and a text: one person
    rows[2]["user_id"], rows[3]["item_id"] = None, float("nan")
    rows[4] |= {"tags": ["a", "b"], "context": {"device": "tv"}}
    del rows[5]["timestamp"]
    del rows[6]["rating"]
    lines = [json.dumps(row) for row in rows]
    lines[7:7] = ["[1, 2]", "{broken", "", "7"]
    source = read(tmp_path / "log.jsonl", "\n".join(lines).encode())
    assert source.skipped == {"no JSON object": 3, "missing user": 1, "missing item": 1, "missing time": 1}
    assert source.rows == 1_503 == len(source.log) + 6
    assert int(np.isnan(source.log.value).sum()) == 1
    assert source.users.key.count("17") == 1
    assert {"tags", "context.device"} <= {use.column for use in source.columns}


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_may_be_larger_than_any_line_of_text(tmp_path: Path, indent: int | None) -> None:
    rows = [
        {"user_id": f"u{k % 50}", "item_id": f"i{k % 70}", "timestamp": 1_700_000_000 + 60 * k, "note": "x" * 60}
        for k in range(10_000)
    ]
    content = json.dumps(rows, indent=indent).encode()
    assert len(content) > 1 << 20
    assert len(read(tmp_path / "log.json", content).log) == 10_000
    with pytest.raises(SandboxError, match="WORLD-002"):
        read(tmp_path / "log.json", content[:-100])


def test_a_json_line_that_is_too_long_is_counted(small_log, tmp_path: Path) -> None:
    content = as_json_lines(small_log) + b'\n{"user_id": "' + b"x" * (3 << 20) + b'"}\n'
    source = read(tmp_path / "log.jsonl", content)
    assert source.skipped == {"line too long": 1}
    assert source.rows == 1_501


def test_a_header_that_begins_like_a_binary_file_is_a_header(small_log, tmp_path: Path) -> None:
    content = as_csv([(*row[:2], row[2], row[3]) for row in small_log])
    content = content.replace(b"user_id", b"ORCID", 1)
    source = read(tmp_path / "log.csv", content, mapping={"user": "ORCID"})
    assert len(source.log) == 1_500


def test_times_and_whole_numbers_of_parquet_mean_what_they_say(small_log, tmp_path: Path) -> None:
    user, item, stars, ts = zip(*small_log, strict=True)
    columns = {
        "user_id": [float(u[1:]) for u in user],
        "item_id": list(item),
        "genres": [["Pop", "Rock"]] * len(item),
        "rating": pa.array([None if k % 3 else s for k, s in enumerate(stars)], pa.int8()),
        "timestamp": pa.array([t * 1_000_000 for t in ts], pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    source = table.read(tmp_path / "log.parquet", mapping={"topics": "genres"})
    assert set(source.users.key) == {str(int(u[1:])) for u in user}
    np.testing.assert_array_equal(np.sort(source.log.ts), ts)
    assert int(np.isnan(source.log.value).sum()) == 1_000
    assert source.items.text("topics")[0] == "Pop|Rock"
