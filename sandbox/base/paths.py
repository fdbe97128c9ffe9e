"""Where things live on disk. `SANDBOX_HOME` moves all of it; nothing else reads the environment for that."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import platformdirs


def home() -> Path:
    """The folder for worlds, models and runs: $SANDBOX_HOME, else the user's data folder."""
    chosen = os.environ.get("SANDBOX_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("recommender-sandbox"))


PACKS = "SANDBOX_PACKS"  # environment variable: further folders of scenarios, joined as in PATH


def packs() -> list[Path]:
    """Folders of scenarios of one's own: those of $SANDBOX_PACKS, then SANDBOX_HOME/scenarios."""
    named = [Path(part) for part in os.environ.get(PACKS, "").split(os.pathsep) if part]
    return [*named, home() / "scenarios"]


def add_pack(folder: Path) -> None:
    """Has `packs` name that folder too, here and in every process that this one starts."""
    named = [part for part in os.environ.get(PACKS, "").split(os.pathsep) if part]
    if str(folder) not in named:
        os.environ[PACKS] = os.pathsep.join([*named, str(folder)])


def fresh_name() -> str:
    """The name of a new run or drill: the moment, and what tells apart those that one process begins in a second. It must
    not tell what is inside: process arguments and file names show it."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def worlds() -> Path:
    return home() / "worlds"


def runs() -> Path:
    return home() / "runs"
