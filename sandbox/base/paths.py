"""Where things live on disk. `SANDBOX_HOME` moves all of it; nothing else reads the environment for it."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """The folder for worlds, models and runs: $SANDBOX_HOME, else the user's data folder."""
    chosen = os.environ.get("SANDBOX_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("recommender-sandbox"))


def worlds() -> Path:
    return home() / "worlds"


def runs() -> Path:
    return home() / "runs"
