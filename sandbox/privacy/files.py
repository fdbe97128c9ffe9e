"""Files that hold rows of people: how many, which, and the file without them.

A file is replaced as a whole, by one rename: whoever reads has the old one or the new one, and a kill between leaves
the old one. What was read to the end is what is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from safetensors import safe_open

from sandbox.base import artefacts
from sandbox.base.run import write_atomically
from sandbox.privacy.columns import Who, finder, held, parts_of, user_column, without

Rows = list[dict[str, Any]]


def count_parquet(path: Path, who: Who) -> int:
    """Rows about them. Reads the columns that tell, and no other."""
    with pq.ParquetFile(path) as file:
        find = finder(file.schema_arrow)
        if find is None or file.metadata.num_rows == 0:
            return 0
        names = [n for n in file.schema_arrow.names if n in _TELLING]
        return sum(
            int(pc.sum(find(pa.Table.from_batches([batch]), who)).as_py() or 0)
            for batch in file.iter_batches(1 << 20, columns=names)
        )


_TELLING = frozenset({"user_id", "user", "entity", "entity_id", "command", "key", "request_id", "trace_id"})


def rows_parquet(path: Path, who: Who) -> Rows:
    """Rows about them, as they stand."""
    with pq.ParquetFile(path) as file:
        find = finder(file.schema_arrow)
        if find is None:
            return []
        found: Rows = []
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            found += table.filter(find(table, who)).to_pylist()
        return found


def erase_parquet(path: Path, who: Who) -> int:
    """Writes the file without their rows, in the same order, group by group. Returns rows left in it."""
    with pq.ParquetFile(path) as file, replacing(path) as part:
        schema = file.schema_arrow
        find = finder(schema)
        assert find is not None, "only files about people are rewritten"
        # As the lake writes: statistics leave NaN out, and readers would conclude that there is none.
        sound = [f.name for f in schema if not pa.types.is_floating(f.type) and not pa.types.is_nested(f.type)]
        kept = 0
        with pq.ParquetWriter(part, schema, compression="zstd", write_statistics=sound) as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                table = table.filter(pc.invert(find(table, who)))
                kept += table.num_rows
                if table.num_rows:
                    writer.write_table(table)
    return kept


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Of the arrays in an .npz or .safetensors file."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].shape for name in arrays.files}
    with safe_open(path, "numpy") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 no mapping


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    with safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def holds_people(path: Path, n_users: int) -> bool:
    """Whether a file's schema has a place for users."""
    if path.suffix == ".parquet":
        return finder(pq.read_schema(path)) is not None
    return bool(parts_of(shapes_of(path), n_users, str(path)))


def count(path: Path, who: Who) -> int:
    """Rows, or places in arrays, that are about them."""
    if path.suffix == ".parquet":
        return count_parquet(path, who)
    arrays = arrays_of(path)
    return held(arrays, parts_of({n: a.shape for n, a in arrays.items()}, who.n_users, str(path)), who.users)


def by_user(path: Path, who: Who) -> dict[int, int]:
    """Rows, or places, of each of them who has any; a table without a user column tells of nobody."""
    if path.suffix != ".parquet":
        alone = {user: replace(who, users=np.array([user])) for user in who.users.tolist()}
        return {user: n for user, one in alone.items() if (n := count(path, one))} if count(path, who) else {}
    with pq.ParquetFile(path) as file:
        name = user_column(file.schema_arrow)
    users = column(path, name) if name is not None else None
    if users is None:
        return {}
    found, times = np.unique(users[np.isin(users, who.users)], return_counts=True)
    return dict(zip(found.tolist(), times.tolist(), strict=True))


def column(path: Path, name: str) -> np.ndarray | None:
    """int64: the numbers in a column of a table, without the empty ones. None where there is no such column."""
    with pq.ParquetFile(path) as file:
        if name not in file.schema_arrow.names:
            return None
        numbers: np.ndarray = file.read(columns=[name])[name].drop_null().cast(pa.int64()).to_numpy()
        return numbers


def columns(path: Path, user: str, time: str) -> tuple[np.ndarray, np.ndarray]:
    """int64 and float64 by row, of a table of the history."""
    with pq.ParquetFile(path) as file:
        table = file.read(columns=[user, time])
    return table[user].to_numpy().astype(np.int64, copy=False), table[time].to_numpy()


def rows(path: Path, who: Who) -> Rows:
    """What a file holds of one person, in words: a dictionary per row."""
    if path.suffix == ".parquet":
        return rows_parquet(path, who)
    arrays = arrays_of(path)
    parts = parts_of({n: a.shape for n, a in arrays.items()}, who.n_users, str(path))
    found: Rows = []
    for name, mine in parts.ids.items():
        for at in np.flatnonzero(np.isin(arrays[name], who.users)).tolist():
            found.append({each: arrays[each][at].tolist() for each in (name, *mine)})
    for user in who.users.tolist():
        place = {name: arrays[name][user].tolist() for name in parts.places}
        for name, entries in parts.runs.items():
            start, end = arrays[name][user : user + 2].tolist()
            place |= {each: arrays[each][start:end].tolist() for each in entries}
        found += [place] if place else []
    return found


def erase(path: Path, who: Who) -> None:
    """The file without them; of an artefact's file the manifest says the new hash."""
    if path.suffix == ".parquet":
        erase_parquet(path, who)
        return
    arrays = arrays_of(path)
    left = without(arrays, parts_of({n: a.shape for n, a in arrays.items()}, who.n_users, str(path)), who.users)
    if path.suffix == ".npz":
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, **left)  # type: ignore[arg-type]
    elif (path.parent / "manifest.json").exists():
        _replace_in_artefact(path, artefacts.pack_arrays(left))
    else:
        with replacing(path) as part:
            part.write_bytes(artefacts.pack_arrays(left))


def _replace_in_artefact(path: Path, blob: bytes) -> None:
    """A version is whole or not there: file and manifest change in one move of its directory."""
    target = path.parent
    staged = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        shutil.copytree(target, staged, dirs_exist_ok=True, copy_function=os.link)
        (staged / path.name).unlink()
        (staged / path.name).write_bytes(blob)
        manifest = json.loads((target / "manifest.json").read_text())
        manifest["files"][path.name] = hashlib.sha256(blob).hexdigest()
        write_atomically(staged / "manifest.json", json.dumps(manifest, indent=1))
        old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        target.replace(old)  # an empty directory gives way
        staged.rename(target)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` when the block ends well; nothing is left when it raises."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(fd)
    part = Path(name)
    try:
        yield part
        if path.exists():
            shutil.copymode(path, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
