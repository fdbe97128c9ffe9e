"""Small artefacts in a registry: models of fixed random weights, their index, covisit and popular lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sandbox.base import artefacts
from sandbox.base.artefacts import Lineage, Manifest
from sandbox.base.catalogue import REGIONS
from sandbox.base.features import N_RECENT, USER_PROFILE
from sandbox.pipeline import index
from services.model.core import Ranker, RankerConfig, TowerConfig, TwoTower, dump, encode_items
from services.ranking.core import INPUTS
from tests.services.harness import N_CREATORS, N_ITEMS, N_USERS, WORLD_START

_LINEAGE = Lineage(from_ts=0, to_ts=WORLD_START, rows=1, digest="0")


def register(place: Path, artifact: str, version: str, files: dict[str, bytes], **manifest: object) -> Path:
    """The directory of the version."""
    described = Manifest.model_validate(
        {"artifact": artifact, "version": version, "created_ts": WORLD_START, "code_hash": "0",
         "seed": 1, "data": _LINEAGE, **manifest}
    )  # fmt: skip
    return artefacts.register(place, described, files).path


def ranker(place: Path, version: str = "rk-1", seed: int = 1, inputs: tuple[str, ...] = INPUTS) -> Path:
    torch.manual_seed(seed)
    model = Ranker(RankerConfig(N_USERS, N_ITEMS, N_CREATORS, inputs))
    tensors, config = dump(model)
    return register(place, "ranker", version, {"model.safetensors": tensors}, config=config, inputs=list(inputs))


def two_tower(place: Path, number: int = 1) -> Path:
    """tt-number, and ix-number made with it. Returns the directory of the index."""
    torch.manual_seed(100 + number)
    model = TwoTower(TowerConfig(N_USERS, N_ITEMS, N_CREATORS))
    tensors, config = dump(model)
    register(place, "two_tower", f"tt-{number}", {"model.safetensors": tensors}, config=config)
    vectors = encode_items(model)
    files = {
        "index.faiss": index.dump(index.build(vectors, seed=1)),
        "vectors.safetensors": artefacts.pack_arrays({"vectors": vectors}),
    }
    return register(place, "index", f"ix-{number}", files, parents={"two_tower": f"tt-{number}"})


def everything(world: Path) -> Path:
    """First generation of all that serving loads. Returns the registry."""
    place = world / "registry"
    ranker(place)
    two_tower(place)
    near = (np.arange(N_ITEMS)[:, None] + np.arange(1, 6)) % N_ITEMS
    packed = {"items": near.astype(np.int32), "scores": np.full(near.shape, 0.5, np.float32)}
    register(place, "covisit", "cv-1", {"neighbours.safetensors": artefacts.pack_arrays(packed)})
    items = np.tile(np.arange(20, 50, dtype=np.int32), (len(REGIONS), 1))
    packed = {"items": items, "scores": np.ones(items.shape, np.float32)}
    register(place, "popular", "pp-1", {"popular.safetensors": artefacts.pack_arrays(packed)})
    user = np.arange(4)
    golden = {
        "user": user,
        "profile": np.zeros((4, len(USER_PROFILE.columns)), np.float32),
        "recent": np.full((4, N_RECENT), -1),
        "held_out": user[:, None] + 20,
    }
    register(place, "features", "fs-1", {"golden.safetensors": artefacts.pack_arrays(golden)})
    return place


def damage(path: Path) -> bytes:
    """Turns one bit in the middle of the file round. Returns what it was, for the repair."""
    before = path.read_bytes()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    return before
