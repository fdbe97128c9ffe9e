"""What stages made, kept by content: WORLD/pipeline/cache/<stage>/<key>/ holds the files and a stage.json.

The key is a hash of inputs, code, settings and seed. An entry appears whole, by one rename, or not at all; it is
never changed. Whoever is killed on the way leaves a folder with a dot before its name, which the next one removes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.base.locks import alone, at_once

_CHUNK = 1 << 22


@dataclass(frozen=True)
class Dataset:
    """A dataset as it was made. path: its file."""

    name: str
    path: Path
    digest: str
    rows: int


@dataclass(frozen=True)
class Entry:
    """What a stage made once. rows_in, rows_out, dropped, newest_ts: as in Tally. seconds: that it took."""

    stage: str
    key: str
    outputs: Mapping[str, Dataset]
    rows_in: int
    rows_out: int
    dropped: Mapping[str, int]
    newest_ts: float | None
    seconds: float


class Store:
    """root: WORLD/pipeline."""

    def __init__(self, root: Path) -> None:
        self.root, self.cache = root, root / "cache"

    def find(self, stage: str, key: str) -> Entry | None:
        """The entry, its files found whole. One that is damaged is removed: it is made again."""
        folder = self.cache / stage / key
        try:
            entry = _read(folder)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            entry = None
        if entry is not None and all(_is_whole(dataset) for dataset in entry.outputs.values()):
            return entry
        self._remove(folder)
        return None

    @contextmanager
    def one_at_a_time(self, stage: str, key: str) -> Iterator[None]:
        """Two runs of one stage at once: the second waits here, and finds what the first made."""
        place = self.cache / stage
        place.mkdir(parents=True, exist_ok=True)
        with alone(place / f".{key}.lock"):
            shutil.rmtree(self.aside(stage, key), ignore_errors=True)  # of one that was killed
            yield

    def aside(self, stage: str, key: str) -> Path:
        """Where the files of an entry are written before it is one."""
        return self.cache / stage / f".{key}.part"

    def commit(self, entry: Entry) -> Entry:
        """Makes the folder `aside` the entry. Its outputs name files there; what is returned names them in place."""
        part, final = self.aside(entry.stage, entry.key), self.cache / entry.stage / entry.key
        document = asdict(entry)
        document["outputs"] = {
            name: {"file": dataset.path.name, "digest": dataset.digest, "rows": dataset.rows}
            for name, dataset in entry.outputs.items()
        }
        (part / "stage.json").write_text(json.dumps(document, indent=1, sort_keys=True))
        for path in part.iterdir():
            _to_disk(path)
        part.rename(final)
        return _read(final)

    def sweep(self) -> None:
        """Removes what killed processes left. What somebody is at work on stays."""
        for part in self.cache.glob("*/.*.part"):
            with suppress(BlockingIOError), at_once(part.parent / f"{part.stem}.lock"):
                shutil.rmtree(part, ignore_errors=True)

    def _remove(self, folder: Path) -> None:
        gone = folder.parent / f".{folder.name}.gone"
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)  # in one step: nobody finds half an entry
        shutil.rmtree(gone, ignore_errors=True)


def digest_of(paths: Iterable[Path]) -> str:
    """Of the bytes of files, in their order, 16 digits. Raises OSError."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                whole.update(chunk)
        whole.update(b"\0")
    return whole.hexdigest()[:16]


def key_of(document: Mapping[str, Any]) -> str:
    """Of everything that decides what a stage makes, 16 digits."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def _read(folder: Path) -> Entry:
    document = json.loads((folder / "stage.json").read_text())
    outputs = {
        name: Dataset(name, folder / one["file"], one["digest"], one["rows"])
        for name, one in document.pop("outputs").items()
    }
    return Entry(outputs=outputs, **document)


def _is_whole(dataset: Dataset) -> bool:
    try:
        return digest_of([dataset.path]) == dataset.digest
    except OSError:
        return False


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
