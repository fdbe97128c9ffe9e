"""Who may not be written about any more: the tombstones of a world, for whoever has its directory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sandbox.base import tombstones


def erased_users(world_dir: Path) -> np.ndarray:
    """int64, ascending; empty where nobody was erased. Raises PRIV-003, WORLD-003 as `n_users`."""
    return tombstones.load(world_dir).users(n_users(world_dir))


def n_users(world_dir: Path) -> int:
    """How many numbers of users a world has; the erased keep theirs."""
    return int(json.loads((world_dir / "world.json").read_text())["users"])
