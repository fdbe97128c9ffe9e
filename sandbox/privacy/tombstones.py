"""Who may not be written about any more, for whoever has a world's directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sandbox.base import tombstones


def erased_users(world_dir: Path) -> np.ndarray:
    """int64, ascending; empty where nobody was erased. Raises PRIV-003."""
    return tombstones.load(world_dir).users(tombstones.n_users(world_dir))
