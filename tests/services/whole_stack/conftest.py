"""One running stack for all tests of this folder. Each leaves it as a healthy stack of the first models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.runtime.stack import Stack
from tests.services.asking import asked_enough


@pytest.fixture(scope="package")
def stack(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack on the tiny world."""
    with Stack.up("tiny", run_dir=tmp_path_factory.mktemp("run"), speed=60.0) as running:
        try:
            yield running
        finally:
            asked_enough()
