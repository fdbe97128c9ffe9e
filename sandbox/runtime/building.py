"""A world with its models, built where they are missing or out of date."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import write_atomically
from sandbox.base.worlds import world_dir

_ROOT = Path(__file__).resolve().parents[2]
# What worlds and models are made from. World and pipeline keep finer keys of their own, but to ask
# them takes seconds of imports (scipy, torch), and a stack that is started often must not wait for it.
_SOURCES = (
    "sandbox/world/*.py", "sandbox/pipeline/*.py", "services/model/core.py", "services/ranking/core.py", "sandbox/base/*.py",
)  # fmt: skip
_ARTEFACTS = ("two_tower/tt-1", "ranker/rk-1", "index/ix-1", "covisit/cv-1", "popular/pp-1", "features/fs-1")


def ensure_built(world: str, progress: ProgressFn = quiet) -> Path:
    """The directory of a world that is built and has its models. Raises WORLD-*, MODEL-*."""
    directory = world_dir(world)
    stamp = directory / "registry" / "built.key"
    there = all((directory / "registry" / name / "manifest.json").exists() for name in _ARTEFACTS)
    with suppress(OSError):
        if there and stamp.read_text() == _key(directory):
            return directory
    from sandbox.pipeline.build import ensure_models
    from sandbox.world.files import ensure

    directory = ensure(world, lambda what, share: progress(f"world {world}: {what}", share))
    ensure_models(directory, lambda what, share: progress(f"models: {what}", share))
    write_atomically(stamp, _key(directory))
    return directory


def _key(directory: Path) -> str:
    whole = hashlib.sha256((directory / "world.json").read_bytes())
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            whole.update(path.read_bytes())
    return whole.hexdigest()
