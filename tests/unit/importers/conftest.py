from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test."""
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def dataset() -> Callable[[str], Path]:
    """The folder of a public data set; skips the test where it isn't on this machine."""

    def find(name: str) -> Path:
        beside = Path(__file__).parents[3].parent / "shared" / "datasets"
        root = Path(os.environ.get("SANDBOX_DATASETS", beside))
        if not (root / name).is_dir():
            pytest.skip(f"no data set {name} in {root}; set SANDBOX_DATASETS")
        return root / name

    return find


@pytest.fixture
def small_log() -> list[tuple[str, str, int, int]]:
    """60 users of two tastes, 40 items, 1,500 ratings: (user, item, rating, epoch second)."""
    rng = np.random.default_rng(4)
    rows = []
    for step in range(1_500):
        user, taste = int(rng.integers(60)), int(rng.random() < 0.85)
        item = int(20 * rng.beta(1, 2)) + 20 * (user % 2 ^ 1 ^ taste)
        stars = 3 + int(rng.integers(3)) if taste else 1 + int(rng.integers(3))
        rows.append((f"u{user:02d}", f"i{item:02d}", stars, 1_700_000_000 + 731 * step))
    return rows
