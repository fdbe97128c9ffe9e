"""What comes from outside, by name: the public files of a world, or those that a caller hands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.pipeline.events import read_manifest
from sandbox.pipeline.stages.store import digest_of

OPTIONAL = ("allowed", "tombstones")  # of WORLD/privacy; without them the consent ledger stands, and nobody is erased


@dataclass(frozen=True)
class Sources:
    """files: by source, its files in order; none for an optional one that is not there. as_of: world seconds, the
    end of what is known. has_negatives: False where the log holds only what users chose."""

    world: str
    root: Path
    files: Mapping[str, tuple[Path, ...]]
    as_of: float
    has_negatives: bool

    def handing_in(self, **files: tuple[Path, ...]) -> Sources:
        """The same with other files under these names."""
        return replace(self, files={**self.files, **files})

    def digest(self, name: str) -> str:
        """Of its bytes. Raises PIPE-004 where it cannot be read."""
        try:
            return digest_of(self.files[name])
        except OSError as error:
            raise SandboxError(
                "PIPE-004",
                where=f"source {name} of world {self.world}",
                seen=str(error),
                expected="a file that can be read",
                fix=f"build the world anew: sandbox world build {self.world} --force",
            ) from error


def of_world(world_dir: Path) -> Sources:
    """Raises WORLD-001, WORLD-003."""
    manifest, public = read_manifest(world_dir), world_dir / "public"
    files: dict[str, tuple[Path, ...]] = {}
    files |= {name: (public / f"{name}.parquet",) for name in ("impressions", "outcomes", "items", "consent_ledger")}
    files["catalogue"] = (public / "catalogue.npz",)
    for name in OPTIONAL:
        path = world_dir / "privacy" / f"{name}.parquet"
        files[name] = (path,) if path.exists() else ()
    return Sources(manifest.name, world_dir, files, manifest.history_end_ts, manifest.has_negatives)
