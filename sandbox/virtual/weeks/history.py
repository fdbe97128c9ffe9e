"""The log of a world, read where the memory that it takes can be given back.

Imports little: a process that only reads is not to load models' libraries first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sandbox.base.catalogue import Catalogue
from sandbox.pipeline.events import Log, read_log


class History:
    """The log of a world. world: its directory."""

    def __init__(self, world: Path) -> None:
        self.world = world

    def without(self, item: np.ndarray) -> Log:
        """The log as if none of these items had been there. item: int64 [n]. Raises WORLD-003."""
        catalogue = Catalogue.load(self.world / "public" / "catalogue.npz")
        log = read_log(self.world / "public", catalogue)
        return log.take(~np.isin(log.item, item))
