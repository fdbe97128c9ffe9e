"""Items that come out while the weeks go by: a share of the catalogue, held back from the past.

An item that is held back was never shown: its rows leave the log, and the models that the weeks begin
with get the unknown item's numbers in place of its own, as they would have had they never seen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load as load_tensors

from sandbox.base import artefacts
from sandbox.base.artefacts import Artefact, pack_arrays
from sandbox.base.catalogue import Catalogue
from sandbox.base.clock import DAY_S
from sandbox.base.streams import uniforms
from sandbox.pipeline import index
from services.model.core import encode_items, load_two_tower

_BY_ITEM = ("item_id", "item_bias", "history", "attention")  # tables with a row for each item's id


@dataclass(frozen=True)
class Births:
    """item: int64 [n], held back, in order of id. ts: float64 [n], world seconds, when it comes out."""

    item: np.ndarray
    ts: np.ndarray

    def catalogue(self, catalogue: Catalogue) -> Catalogue:
        """The catalogue with their new times of publication."""
        published = catalogue.item_published_ts.copy()
        published[self.item] = self.ts
        return replace(catalogue, item_published_ts=published)

    def by(self, ts: float) -> np.ndarray:
        """int64 [n]: those that are not out yet at ts."""
        return self.item[self.ts > ts]


def births(n_items: int, share: float, start_ts: float, days: int, seed: int) -> Births:
    """A share (0..1) of the catalogue, evenly over the days; each item's lot is its own."""
    everything = np.arange(n_items)
    item = np.flatnonzero(uniforms(seed, "simulate/held-back", everything) < share)
    return Births(item, start_ts + days * DAY_S * uniforms(seed, "simulate/published", item))


def write_world(world_dir: Path, target: Path, catalogue: Catalogue) -> None:
    """A world directory like world_dir with another catalogue: links to everything else."""
    (target / "public").mkdir(parents=True)
    for folder in (Path(), Path("public")):
        for path in (world_dir / folder).iterdir():
            if path.name not in ("public", "catalogue.npz"):
                (target / folder / path.name).symlink_to(path.resolve())
    catalogue.save(target / "public" / "catalogue.npz")


def forget(registries: Sequence[Path], artifact: str, old: str, new: str, item: np.ndarray, target: Path) -> Artefact:
    """The version `old` of ranker or two_tower with the unknown item's numbers for `item`, as `new`.

    Raises MODEL-001, MODEL-002.
    """
    found = artefacts.find(registries, artifact, old)
    tensors = load_tensors(found.read("model.safetensors"))
    for table in _BY_ITEM:
        weights = tensors.get(f"{table}.weight")
        if weights is not None:
            weights[item + 1] = weights[0]
    manifest = found.manifest.model_copy(update={"version": new, "parents": {artifact: old}})
    return artefacts.register(target, manifest, {"model.safetensors": pack_arrays(tensors)})


def index_of(registries: Sequence[Path], encoder: str, version: str, absent: np.ndarray, target: Path) -> Artefact:
    """The index of a two-tower version over the items that are out. absent: int64 [n], those that are not.

    Raises MODEL-001, MODEL-002.
    """
    towers = artefacts.find(registries, "two_tower", encoder)
    vectors = encode_items(load_two_tower(towers.read("model.safetensors"), towers.manifest.config))
    vectors[absent] = 0.0  # an index has a row for each item: this one is near to nobody
    manifest, files = index.artefact(vectors, encoder_version=encoder, version=version, like=towers.manifest)
    return artefacts.register(target, manifest, files)
