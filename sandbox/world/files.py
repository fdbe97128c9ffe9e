"""Worlds by name: build them, keep them, tell whether they are out of date.

A build happens in a directory beside the final one and is renamed when it is whole, under a lock: a
build that was killed leaves nothing half, and two at once don't disturb each other.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from sandbox.base import paths, tombstones
from sandbox.base.errors import SandboxError
from sandbox.base.locks import alone
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.worlds import FORMAT, WorldManifest, load_manifest, world_dir
from sandbox.world.build import build
from sandbox.world.presets import PRESETS, Preset, preset_named

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
# What a preset world is made from: a change in any of these files makes built worlds out of date.
_SOURCES = (
    "arrivals", "behaviour", "build", "draws", "history", "items", "latent", "log", "policy", "population",
    "presets", "titles", "words",
)  # fmt: skip


def ensure(name: str, progress: ProgressFn = quiet) -> Path:
    """The directory of that world, built first if it is a preset world that is absent or out of date.

    Imported worlds are taken as they are. Raises WORLD-001 for a name that is neither there nor a preset.
    """
    if name in PRESETS or _is_there(name):
        wanted = PRESETS.get(name)
        if _is_there(name):
            manifest = load_manifest(name)
            if manifest.source not in PRESETS:
                return world_dir(name)
            wanted = replace(PRESETS[manifest.source], seed=manifest.seed)
        assert wanted is not None
        return _build_if_stale(name, wanted, progress)
    load_manifest(name)  # raises, and lists what is there
    raise AssertionError("a world without a manifest was loaded")


def build_world(
    name: str, *, preset: str | None = None, seed: int | None = None, force: bool = False, progress: ProgressFn = quiet
) -> WorldManifest:
    """Build a preset world under a name. preset: None means the preset of that name.

    A world of the same preset and seed that is up to date is left alone unless force is given. Raises
    WORLD-004 when another world has the name and force is not given, CFG-004 for bad names or presets.
    """
    check_name(name)
    if preset is None and name not in PRESETS:
        raise SandboxError(
            "CFG-004",
            where="--preset",
            seen=None,
            expected=f"one of {list(PRESETS)}",
            fix=f"say what to build: sandbox world build {name} --preset laptop",
        )
    wanted = preset_named(preset or name)
    if seed is not None:
        if not 0 <= seed < 1 << 63:
            raise SandboxError(
                "CFG-004",
                where="--seed",
                seen=seed,
                expected="a whole number from 0 to 2^63 - 1",
                fix="choose a small one, such as 7",
            )
        wanted = replace(wanted, seed=seed)
    if _is_there(name) and not force:
        there = load_manifest(name)
        if (there.source, there.seed) != (wanted.name, wanted.seed):
            raise SandboxError(
                "WORLD-004",
                where="world",
                seen=name,
                expected=f"a free name; {name} holds {there.source} with seed {there.seed}",
                fix="choose another name, or replace it with --force",
            )
    _build_if_stale(name, wanted, progress, force=force)
    return load_manifest(name)


def worlds() -> list[WorldManifest]:
    """Every world on disk whose manifest can be read, by name."""
    found = []
    for path in sorted(paths.worlds().glob("*/world.json")):
        try:
            found.append(load_manifest(path.parent.name))
        except SandboxError:
            continue  # damaged: `check` and `ensure` of that name say so
    return found


def content_hash(preset: Preset) -> str:
    """Of everything that a build of this preset is made from: parameters, seed, code, file format."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([FORMAT, asdict(preset)], sort_keys=True).encode())
    for module in _SOURCES:
        digest.update((Path(__file__).parent / f"{module}.py").read_bytes())
    return digest.hexdigest()


def check_name(name: str) -> None:
    """Raises CFG-004 for a name that can't be a directory of ours."""
    if not _NAME.fullmatch(name):
        raise SandboxError(
            "CFG-004",
            where="world name",
            seen=name,
            expected="1 to 64 lower-case letters, digits, dots, dashes or underscores",
            fix="choose a name such as my-world",
        )


@contextmanager
def place_for(name: str) -> Iterator[Path]:
    """An empty directory to write a world into; it takes the world's place when the block ends well.

    For builds and imports alike. Nothing is left behind when the block raises.
    """
    final = world_dir(name)
    part = final.parent / f".{name}.part"
    shutil.rmtree(part, ignore_errors=True)  # of a build that was killed
    part.mkdir(parents=True)
    try:
        yield part
        if tombstones.load(final).stones:  # whoever was erased here stays so, whatever the sources bring
            from sandbox.privacy.erase import heed  # nobody else waits for what it needs

            heed(part, final)
        _swap(part, final)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SandboxError(
                "RUN-005",
                where=str(final.parent),
                seen=str(error),
                expected="room for the world: about 100 MB for laptop",
                fix="free some space, or set SANDBOX_HOME to a larger disk",
            ) from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Only one process at a time builds or replaces the world of that name; others wait."""
    paths.worlds().mkdir(parents=True, exist_ok=True)
    with alone(paths.worlds() / f".{name}.lock"):
        yield


def _build_if_stale(name: str, preset: Preset, progress: ProgressFn, *, force: bool = False) -> Path:
    plain = content_hash(preset)
    with locked(name):
        wanted = tombstones.load(world_dir(name)).marked(plain)
        if not force and _is_there(name) and load_manifest(name).content_hash == wanted:
            return world_dir(name)
        built = datetime.now(UTC).isoformat(timespec="seconds")
        with place_for(name) as folder:
            build(folder, preset, name=name, content_hash=plain, built=built, progress=progress)
    return world_dir(name)


def _is_there(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and (world_dir(name) / "world.json").exists()


def _swap(part: Path, final: Path) -> None:
    old = final.parent / f".{final.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    part.rename(final)
    shutil.rmtree(old, ignore_errors=True)
