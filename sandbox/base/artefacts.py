"""The registry of artefacts on disk: REGISTRY/<artifact>/<version>/manifest.json and its files.

Whoever serves loads from here, so it imports no torch and executes nothing that it reads: files are
safetensors, JSON or faiss indexes, and each one must match the hash in its manifest.

A version is immutable. It is written aside, brought to disk and renamed, so a reader finds all of it or none; which
version is live is another matter (sandbox.base.stages).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from sandbox.base.errors import SandboxError

ARTIFACTS = ("two_tower", "ranker", "index", "covisit", "popular", "features")
_NAME = re.compile(r"[a-z0-9_]+(?:[.-][a-z0-9_]+)*")

# Made once for a world, from its history: no release brings another version of these.
COVISIT_VERSION, POPULAR_VERSION, FEATURES_VERSION = "cv-1", "pp-1", "fs-1"


class Lineage(BaseModel, extra="forbid"):
    """What an artefact was made from. Times are world seconds since the epoch."""

    from_ts: float
    to_ts: float
    rows: int
    digest: str  # hash of the rows
    label_window_h: float = 0.0  # hours that a label had to come true, 0 where there is no label
    pos_rate: float = 0.0  # share of positive click labels


class Manifest(BaseModel, extra="forbid"):
    """manifest.json: everything there is to know about a version but its numbers."""

    artifact: str
    version: str
    created_ts: float  # world seconds: the end of the history it was made from
    code_hash: str
    seed: int
    data: Lineage
    files: dict[str, str] = Field(default_factory=dict)  # name -> sha256
    metrics: dict[str, float] = Field(default_factory=dict)
    parents: dict[str, str] = Field(default_factory=dict)  # artifact -> version
    inputs: list[str] = Field(default_factory=list)  # columns of the ranker's matrix, in order
    config: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Artefact:
    """A version whose files were found whole. path: its directory; digest: hash of its manifest."""

    path: Path
    manifest: Manifest
    digest: str

    def read(self, name: str) -> bytes:
        """One of its files. Raises MODEL-002 when it is gone or is not the one that was registered."""
        return _verified(self.path / name, self.manifest.files.get(name))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a safetensors file. Raises MODEL-002."""
        try:
            return load_tensors(self.read(name))
        except (SafetensorError, ValueError) as error:
            raise _damaged(self.path / name, str(error), "a safetensors file") from error


def register(registry: Path, manifest: Manifest, files: dict[str, bytes], *, supersede: bool = False) -> Artefact:
    """Write a version whole or not at all. Returns it as loaded.

    registry: the directory of all artefacts. Hashes of `files` are put into the manifest. The same bytes again are
    fine and write nothing, unless what is there was damaged. Raises MODEL-005 for other bytes under a name that is
    taken, MODEL-002 where what has the name is no version, and CFG-003 for a metric that is no number. supersede: they take its place instead, in one step:
    for what is made anew under one name, the first generation of a world and the lists of each night.
    """
    none = [name for name, value in manifest.metrics.items() if not math.isfinite(value)]
    if none:  # JSON has no word for it: what was written could not be read
        raise SandboxError(
            "CFG-003", where=f"manifest of {manifest.version}", seen=f"no number: {', '.join(none)}",
            expected="finite metrics", fix="see why the training gave none: too few rows, or a loss that ran away",
        )  # fmt: skip
    hashes = {name: hashlib.sha256(blob).hexdigest() for name, blob in sorted(files.items())}
    text = manifest.model_copy(update={"files": hashes}).model_dump_json(indent=1)

    def write(staged: Path) -> None:
        for name, blob in files.items():
            (staged / name).write_bytes(blob)
        (staged / "manifest.json").write_text(text)

    return _put(registry, manifest, text, write, supersede)


def copy(source: Artefact, registry: Path) -> Artefact:
    """The version in another registry too, byte for byte. Raises as `register`."""

    def write(staged: Path) -> None:
        shutil.copytree(source.path, staged, dirs_exist_ok=True)

    return _put(registry, source.manifest, (source.path / "manifest.json").read_text(), write, supersede=False)


def discard(registry: Path, artifact: str, version: str) -> bool:
    """Removes a version, whole or half-written. False when there is nothing of that name. Raises MODEL-001 for a
    name that no version can have."""
    target = _place(registry, artifact, version)
    try:
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{version}."))
        target.rename(aside)  # gone for readers at once, whatever removing takes
    except FileNotFoundError:
        return False
    finally:
        sweep(registry)
    return True


def damaged(registry: Path) -> list[SandboxError]:
    """What lies in the registry and is no version: a manifest that is missing or cannot be read."""
    found = []
    for path in sorted(p for a in ARTIFACTS for p in (registry / a).glob("*") if p.is_dir()):
        if not path.name.startswith("."):
            try:
                describe(registry, path.parent.name, path.name)
            except SandboxError as error:
                found.append(error)
    return found


def sweep(registry: Path) -> int:
    """Removes what writers that were killed left aside. Returns how many; those of living writers stay."""
    n = 0
    for path in sorted(p for a in ARTIFACTS for p in (registry / a).glob(".*") if p.is_dir()):
        with _held(path) as mine:
            if mine:
                shutil.rmtree(path, ignore_errors=True)
                n += 1
    return n


def _put(registry: Path, manifest: Manifest, text: str, write: Callable[[Path], None], supersede: bool) -> Artefact:
    artifact, version = manifest.artifact, manifest.version
    target = _place(registry, artifact, version)
    if target.exists() and not supersede:
        try:
            return _same(registry, manifest, text)
        except SandboxError:
            if describe(registry, artifact, version).digest != hashlib.sha256(text.encode()).hexdigest():
                raise
            supersede = True  # a file of it was damaged, and here are the bytes that it should have
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{version}."))
    try:
        with _held(staged):
            write(staged)
            for path in (*staged.iterdir(), staged):
                _to_disk(path)
            try:
                staged.rename(target)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                if not supersede:  # somebody else was quicker
                    return _same(registry, manifest, text)
                _exchange(staged, target)
            _to_disk(target.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return load(registry, artifact, version)


def _same(registry: Path, manifest: Manifest, text: str) -> Artefact:
    """The version that is there, if it is that of `text`. Raises MODEL-005, and MODEL-002."""
    there = describe(registry, manifest.artifact, manifest.version)
    wanted = hashlib.sha256(text.encode()).hexdigest()
    if there.digest != wanted:
        raise SandboxError(
            "MODEL-005",
            where=str(there.path),
            seen=f"digest {wanted[:16]} under the name {manifest.version}",
            expected=f"digest {there.digest[:16]}, which has that name",
            fix="give the new one a name of its own: whoever read the old one must find it again",
        )
    return load(registry, manifest.artifact, manifest.version)


@contextmanager
def _held(directory: Path) -> Iterator[bool]:
    """Holds a directory against `sweep`. Gives False where another process does. The kernel lets go of it with its
    process, however that ends."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)


def _to_disk(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _exchange(new: Path, old: Path) -> None:
    """Two directories swap names in one step (renameat2 of Linux); elsewhere in two."""
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        done = ctypes.CDLL(None, use_errno=True).renameat2(here, os.fsencode(new), here, os.fsencode(old), swap) == 0
    except AttributeError:
        done = False
    if not done:
        aside = Path(tempfile.mkdtemp(dir=old.parent, prefix=f".{old.name}."))
        old.rename(aside)
        new.rename(old)
        aside.rename(new)


def load(registry: Path, artifact: str, version: str) -> Artefact:
    """The version, each of its files checked. Raises MODEL-001 when there is none of that name,
    MODEL-002 when its manifest cannot be read or a file differs from its hash."""
    artefact = describe(registry, artifact, version)
    try:
        for name, expected in artefact.manifest.files.items():
            _verified(artefact.path / name, expected)
    except SandboxError:
        if describe(registry, artifact, version).digest == artefact.digest:
            raise
        return load(registry, artifact, version)  # superseded while it was read
    return artefact


def find(registries: Sequence[Path], artifact: str, version: str) -> Artefact:
    """`load` from the first of these directories that has the version: a run's own, then the world's."""
    for registry in registries[:-1]:
        if (_place(registry, artifact, version) / "manifest.json").exists():
            return load(registry, artifact, version)
    return load(registries[-1], artifact, version)


def describe(registry: Path, artifact: str, version: str) -> Artefact:
    """As `load`, without reading its files. Raises MODEL-001, MODEL-002."""
    path = _place(registry, artifact, version) / "manifest.json"
    if path.parent.is_dir() and not path.exists():
        raise _damaged(path, "no manifest: half a version", "a version written by the registry")
    if not path.exists():
        there = [a.manifest.version for a in versions(registry) if a.manifest.artifact == artifact]
        raise SandboxError(
            "MODEL-001",
            where=f"registry {registry}",
            seen=f"{artifact} {version}",
            expected=f"one of {there}",
            fix="see what there is: sandbox model list; or build: sandbox model build",
        )
    text = path.read_text()
    try:
        manifest = Manifest.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        raise _damaged(path, str(error)[:300], "a manifest") from error
    if (manifest.artifact, manifest.version) != (artifact, version):
        seen = f"manifest of {manifest.artifact} {manifest.version}"
        raise _damaged(path, seen, f"the manifest of {artifact} {version}")
    return Artefact(path.parent, manifest, hashlib.sha256(text.encode()).hexdigest())


def versions(registry: Path) -> list[Artefact]:
    """All versions there are, by artifact and version; unreadable ones are left out."""
    found = []
    for path in sorted(registry.glob("*/*/manifest.json")):
        try:
            found.append(describe(registry, path.parent.parent.name, path.parent.name))
        except SandboxError:
            continue
    return found


def names(registries: Iterable[Path], artifact: str) -> list[str]:
    """Versions of one artifact that any of the registries holds, in order."""
    found = (made.manifest for place in registries for made in versions(place))
    return sorted({m.version for m in found if m.artifact == artifact})


def pack_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """safetensors bytes of arrays, the same for the same arrays."""
    return save_tensors({name: np.ascontiguousarray(a) for name, a in arrays.items()})


def _place(registry: Path, artifact: str, version: str) -> Path:
    # A version comes from people and scenario files: it must not be able to climb out of the registry.
    if artifact not in ARTIFACTS or not _NAME.fullmatch(version):
        raise SandboxError(
            "MODEL-001",
            where="registry",
            seen=f"{artifact} {version}",
            expected=f"an artifact of {list(ARTIFACTS)} and a version like rk-1",
            fix="see what there is: sandbox model list",
        )
    return registry / artifact / version


def _verified(path: Path, expected: str | None) -> bytes:
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise _damaged(path, str(error), "a file that the manifest lists") from error
    seen = hashlib.sha256(blob).hexdigest()
    if seen != expected:
        raise _damaged(path, f"sha256 {seen}", f"sha256 {expected}")
    return blob


def _damaged(path: Path, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "MODEL-002",
        where=str(path),
        seen=seen,
        expected=expected,
        fix=f"get rid of it: sandbox model discard {path.parent.name}; or build it anew: sandbox model build --force",
    )
