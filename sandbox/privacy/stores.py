"""Every place that may hold rows of a world's people. Found on disk, by what files say of themselves.

worlds/W/**            tables, catalogue, latent truth, registry, training sets: a store per file
worlds/W/**/stage.json a kept output of the pipeline: dropped whole where it holds one of them, for it is derived
runs/R/lake/TABLE      of every run of this world: a store per table
runs/R/registry/**     versions of a run's own
runs/R/redis           of a run that is up
runs/R/outcomes.journal  feedback that waits for the lake
twins                  ledgers of runs that were simulated: dropped whole
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from safetensors import SafetensorError

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.base.locks import is_held
from sandbox.base.run import STACK_LOCK, RunInfo
from sandbox.privacy import files
from sandbox.privacy.columns import Who, finder, user_column
from sandbox.privacy.files import Rows
from sandbox.privacy.journal_store import JournalStore
from sandbox.privacy.redis_store import RedisStore

SUFFIXES = (".parquet", ".npz", ".safetensors")
_STAGE = "stage.json"  # beside the outputs of a stage of the pipeline


class Store(Protocol):
    """One place. Each raises one of FAILURES where it cannot be reached."""

    @property
    def name(self) -> str: ...

    def count(self, who: Who) -> int: ...

    def by_user(self, who: Who) -> dict[int, int]: ...

    def rows(self, who: Who) -> Rows: ...

    def erase(self, who: Who) -> None: ...


@dataclass(frozen=True)
class FileStore:
    name: str
    path: Path

    def count(self, who: Who) -> int:
        return files.count(self.path, who)

    def by_user(self, who: Who) -> dict[int, int]:
        return files.by_user(self.path, who)

    def rows(self, who: Who) -> Rows:
        return files.rows(self.path, who)

    def erase(self, who: Who) -> None:
        files.erase(self.path, who)


@dataclass(frozen=True)
class Derived:
    """Entries that are made anew when they are asked for. entries: files about people -> what goes with them."""

    name: str
    entries: dict[tuple[Path, ...], tuple[Path, ...]]

    def count(self, who: Who) -> int:
        return sum(self._held(parts, who) for parts in self.entries)

    def by_user(self, who: Who) -> dict[int, int]:
        return _sum(files.by_user(path, who) for parts in self.entries for path in parts if path.exists())

    def rows(self, who: Who) -> Rows:
        return [row for parts in self.entries for path in parts if path.exists() for row in files.rows(path, who)]

    def erase(self, who: Who) -> None:
        for parts, whole in self.entries.items():
            if self._held(parts, who):
                for path in whole:
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _held(self, parts: Iterable[Path], who: Who) -> int:
        return sum(files.count(path, who) for path in parts if path.exists())


class Lake:
    """The tables of one run. Requests of people are looked up once, before anything goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._requests: dict[bytes, pa.Array] = {}

    @cached_property
    def tables(self) -> list[str]:
        """Those about people, those without a user in them first: their rows go by their requests."""
        found = []
        for place in sorted(self.folder.glob("*")):
            first = next(iter(sorted(place.glob("*.parquet"))), None) if place.is_dir() else None
            if first is not None and finder(schema := pq.read_schema(first)) is not None:
                found.append((user_column(schema) is not None, place.name == "requests", place.name))
        return [name for *_, name in sorted(found)]

    def segments(self, table: str) -> list[Path]:
        return sorted((self.folder / table).glob("*.parquet"))

    def linked(self, who: Who) -> Who:
        key = who.users.tobytes()
        if key not in self._requests:
            self._requests[key] = pa.array(sorted(self._asked_by(who)), pa.string())
        return replace(who, requests=self._requests[key])

    def _asked_by(self, who: Who) -> set[str]:
        asked: set[str] = set()
        for table in self.tables:
            for path in self.segments(table):
                schema = pq.read_schema(path)
                user, find = user_column(schema), finder(schema)
                if user is None or find is None or "request_id" not in schema.names:
                    continue
                with pq.ParquetFile(path) as file:
                    rows = file.read(columns=[user, "request_id"])
                asked |= set(pc.cast(rows.filter(find(rows, who))["request_id"], pa.string()).to_pylist())
        return asked - {None}


@dataclass(frozen=True)
class LakeTable:
    name: str
    lake: Lake
    table: str

    def count(self, who: Who) -> int:
        who = self.lake.linked(who)
        return sum(_unless_merged(path, who) for path in self.lake.segments(self.table))

    def by_user(self, who: Who) -> dict[int, int]:
        return _sum(files.by_user(path, who) for path in self.lake.segments(self.table) if _unless_merged(path, who))

    def rows(self, who: Who) -> Rows:
        who = self.lake.linked(who)
        return [row for path in self.lake.segments(self.table) for row in files.rows_parquet(path, who)]

    def erase(self, who: Who) -> None:
        who = self.lake.linked(who)
        for path in self.lake.segments(self.table):
            if _unless_merged(path, who):
                files.erase_parquet(path, who)


def _unless_merged(path: Path, who: Who) -> int:
    """0 for a segment that went into another while one looked: that one is there too, and is heeded by its writer."""
    try:
        return files.count_parquet(path, who)
    except FileNotFoundError:
        return 0


@dataclass(frozen=True)
class Unreadable:
    """A place of which nobody can tell what it holds. It never counts as done."""

    name: str
    error: Exception

    def count(self, who: Who) -> int:
        raise self.error

    def by_user(self, who: Who) -> dict[int, int]:
        raise self.error

    def rows(self, who: Who) -> Rows:
        raise self.error

    def erase(self, who: Who) -> None:
        raise self.error


FAILURES: tuple[type[Exception], ...] = (
    OSError, ValueError, KeyError, EOFError, BadZipFile, SandboxError, SafetensorError, pa.ArrowException,
)  # fmt: skip


def stores(world: Path, n_users: int, *, runs: Iterable[Path] | None = None) -> list[Store]:
    """All of them. world: its directory. runs: run directories; None for those of SANDBOX_HOME that name the world."""
    found = [*world_stores(world, n_users)]
    for run_dir in run_dirs() if runs is None else runs:
        found += run_stores(run_dir, world, n_users)
    twins = _twins(paths.home() / "twins", world.name, n_users)
    return [*found, twins] if twins.entries else found


def run_dirs() -> list[Path]:
    """Those of SANDBOX_HOME, each once."""
    return sorted({path.parent.resolve() for path in paths.runs().glob("*/run.json")})


def world_stores(world: Path, n_users: int) -> Iterator[Store]:
    """The world's own files."""
    stages = {path.parent for path in world.rglob(_STAGE)}
    for stage in sorted(stages):
        parts = tuple(path for path in _files(stage) if _of_people(path, n_users))
        if parts:
            yield Derived(_name(world, stage), {parts: (stage,)})
    for path in _files(world):
        if not any(parent in stages for parent in path.parents):
            yield from _file_store(_name(world, path), path, n_users)


def run_stores(run_dir: Path, world: Path, n_users: int) -> Iterator[Store]:
    """What one run holds; nothing where it is of another world."""
    name = f"runs/{run_dir.name}"
    try:
        run = RunInfo.load(run_dir)
    except SandboxError as error:
        yield Unreadable(name, error)
        return
    if Path(run.world_dir).resolve() != world.resolve():
        return
    if run.redis and (is_held(run_dir / STACK_LOCK) or not run.supervised):
        yield RedisStore(f"{name}/redis", run)
    lake = Lake(run.path / "lake")
    try:
        yield from [LakeTable(f"{name}/lake/{table}", lake, table) for table in lake.tables]
    except FAILURES as error:
        yield Unreadable(f"{name}/lake", error)
    if run.outcomes_journal.exists():
        yield JournalStore(f"{name}/{run.outcomes_journal.name}", run.outcomes_journal)
    for path in _files(run.path / "registry"):
        yield from _file_store(f"{name}/{path.relative_to(run.path)}", path, n_users)


def _file_store(name: str, path: Path, n_users: int) -> Iterator[Store]:
    try:
        if files.holds_people(path, n_users):
            yield FileStore(name, path)
    except FAILURES as error:
        yield Unreadable(name, error)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())


def _twins(folder: Path, world: str, n_users: int) -> Derived:
    """Those of that world, and those that do not say whose they are."""
    entries: dict[tuple[Path, ...], tuple[Path, ...]] = {}
    for path in sorted(folder.glob("*.npz")):
        if _world_of(path) in ("", world) and _of_people(path, n_users):
            entries[(path,)] = (path, path.with_suffix(".run"))
    return Derived("twins", entries)


def _world_of(path: Path) -> str:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return str(arrays["world"]) if "world" in arrays.files else ""
    except FAILURES:
        return ""


def _of_people(path: Path, n_users: int) -> bool:
    """Of derived data; what cannot be read is computed anew by whoever asks for it, and says nothing of anybody."""
    try:
        return files.holds_people(path, n_users)
    except FAILURES:
        return False


def _name(world: Path, path: Path) -> str:
    return f"worlds/{world.name}/{path.relative_to(world).as_posix()}"


def _sum(parts: Iterable[dict[int, int]]) -> dict[int, int]:
    total: Counter[int] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def failure(error: Exception) -> dict[str, Any]:
    """What a store that cannot be reached says of itself."""
    if isinstance(error, SandboxError):
        return error.as_json()
    return {"code": "CFG-002", "title": type(error).__name__, "seen": str(error)[:300]}
