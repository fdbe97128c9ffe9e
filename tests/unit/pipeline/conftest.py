"""Fixtures of the offline plane's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.pipeline.two_tastes import tables, write_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("worlds") / "two-tastes", *tables())
