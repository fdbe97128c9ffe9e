"""A home with the tiny world built once for all tests that start a real stack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.runtime.building import ensure_built
from sandbox.runtime.stack import Stack


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """SANDBOX_HOME for the session; $SANDBOX_TEST_HOME keeps its world from one session to the next."""
    kept = os.environ.get("SANDBOX_TEST_HOME")
    place = Path(kept) if kept else tmp_path_factory.mktemp("home")
    before = os.environ.get("SANDBOX_HOME")
    os.environ["SANDBOX_HOME"] = str(place)
    ensure_built("tiny")
    yield place
    if before is None:
        del os.environ["SANDBOX_HOME"]
    else:
        os.environ["SANDBOX_HOME"] = before


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A whole stack on the tiny world, for the tests of one module."""
    request.getfixturevalue("home")
    with Stack.up("tiny", run_dir=tmp_path_factory.mktemp("run"), speed=60.0) as running:
        yield running
