"""A room on a stand-in for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.room.desk import Scene, scene


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a SANDBOX_HOME of its own."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def opened(place: Path) -> Iterator[Scene]:
    made = scene(place)
    yield made
    made.room.close()
