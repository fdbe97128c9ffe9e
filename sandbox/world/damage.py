"""What a torn or missing file of a world is called."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from sandbox.base.errors import SandboxError


@contextmanager
def named(folder: Path) -> Iterator[None]:
    """Raises WORLD-003 for a file of the world in `folder` that cannot be read inside the block."""
    try:
        yield
    except (pa.ArrowException, zipfile.BadZipFile, EOFError, FileNotFoundError) as error:
        raise SandboxError(
            "WORLD-003",
            where=str(folder),
            seen=str(error)[:300],
            expected="the files of a whole world",
            fix="build or import the world anew with --force",
        ) from error
