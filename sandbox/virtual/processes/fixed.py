"""The tables of the lake that are fixed when a run begins, as segments that are written already.

They are a third of all rows of a drill and the same in every run on a world, of which one process plays many.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from sandbox.base import artefacts
from sandbox.base.worlds import WorldManifest
from sandbox.runtime import publish
from sandbox.telemetry.segments import Made, made

_Stamp = tuple[str, int, int, int]


def fixed_tables(world_dir: Path, manifest: WorldManifest) -> dict[str, Made]:
    """By table. Raises WORLD-003, MODEL-001, MODEL-002, and OSError where a file of the world cannot be looked at."""
    return _made(world_dir, manifest.model_dump_json(), tuple(_stamps(world_dir)))


# Bytes, which nobody can change; of the worlds played last, some MB each. Whatever is made of files is made anew
# where one of them is another than it was.
@lru_cache(maxsize=2)
def _made(world_dir: Path, manifest: str, stamps: tuple[_Stamp, ...]) -> dict[str, Made]:
    registry = world_dir / "registry"
    features = artefacts.load(registry, "features", artefacts.FEATURES_VERSION)
    there = {(a.manifest.artifact, a.manifest.version): a for a in artefacts.versions(registry)}
    tables = {
        **publish.catalogue_tables(world_dir / "public", WorldManifest.model_validate_json(manifest), features),
        "offline_features": list(publish.offline_rows(features)),
        **publish.registry_tables(list(there.values())),
    }
    return {table: made(table, rows) for table, rows in tables.items()}


def _stamps(world_dir: Path) -> Iterator[_Stamp]:
    """What tells whether a file is the one that was read: the public tables, and all that the registry holds."""
    for pattern in ("public/*.parquet", "registry/*/*/*"):
        for path in sorted(world_dir.glob(pattern)):
            at = path.stat()
            yield str(path), at.st_ino, at.st_size, at.st_mtime_ns
