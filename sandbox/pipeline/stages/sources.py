"""What comes from outside, by name: the public files of a world, or those that a caller hands in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from sandbox.base import stages
from sandbox.base.errors import SandboxError
from sandbox.pipeline.events import read_manifest
from sandbox.pipeline.stages.store import digest_of, key_of
from sandbox.privacy import allowed
from sandbox.privacy.tombstones import erased_users

CONSENT = "consent"  # the source that is no file


@dataclass(frozen=True)
class Consent:
    """Who allows what. version: of all that decides it. allowed: as of world seconds, (user_id, purpose, from_ts,
    until_ts), half-open; nobody named, nothing allowed. erased: int64, users of whom nothing may be kept. Both raise where they cannot
    tell: then nothing is processed."""

    version: Callable[[], str]
    allowed: Callable[[float], pa.Table]
    erased: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Sources:
    """files: by source, its files in order. as_of: world seconds, the end of what is known. has_negatives: False
    where the log holds only what users chose."""

    world: str
    root: Path
    files: Mapping[str, tuple[Path, ...]]
    consent: Consent
    as_of: float
    has_negatives: bool

    def handing_in(self, **files: tuple[Path, ...]) -> Sources:
        """The same with other files under these names: partitions of a log, say."""
        return replace(self, files={**self.files, **files})

    def digest(self, name: str) -> str:
        """Of its bytes. Raises PIPE-004 where it cannot be read."""
        if name == CONSENT:
            return self.consent.version()
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
    files |= {name: (public / f"{name}.parquet",) for name in ("impressions", "outcomes", "items")}
    files["catalogue"] = (public / "catalogue.npz",)
    files["live"], files["served"] = live_ranker(world_dir / "registry"), ()
    return Sources(
        manifest.name, world_dir, files, consent_of(world_dir), manifest.history_end_ts, manifest.has_negatives
    )


def live_ranker(registry: Path) -> tuple[Path, ...]:
    """Manifest and tensors of the ranker that is live in that registry; none where it is not there. Raises CFG-003."""
    version = stages.read(registry).live("ranker")
    files = tuple(registry / "ranker" / version / name for name in ("manifest.json", "model.safetensors"))
    return files if all(path.exists() for path in files) else ()


def consent_of(world_dir: Path) -> Consent:
    """By the consent ledger of a world, as the laws read it, and its tombstones."""
    return Consent(
        version=lambda: key_of(allowed.inputs(world_dir)),
        allowed=lambda as_of: allowed.allowed(world_dir, as_of),
        erased=lambda: erased_users(world_dir),
    )
