"""A drill on a world made of real data: imported, trained, served, broken, found, reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]


def dataset(name: str) -> Path:
    root = Path(os.environ.get("SANDBOX_DATASETS", ROOT.parent / "shared" / "datasets"))
    if not (root / name).is_dir():
        pytest.skip(f"no data set {name} in {root}; set SANDBOX_DATASETS")
    return root / name


def sandbox(home: Path, *arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.cli.app", *arguments, "--json"],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "SANDBOX_HOME": str(home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_gentlest_drill_is_found_and_mended_on_movielens(tmp_path):
    imported = sandbox(
        tmp_path, "world", "import", "movielens", str(dataset("ml-100k")), "--name", "ml-100k"
    )
    assert (imported["users"], imported["items"]) == (943, 1682)
    assert all(check["ok"] for check in sandbox(tmp_path, "world", "check", "ml-100k"))

    graded = sandbox(
        tmp_path, "drill", "start", "slow-home", "--world", "ml-100k", "--seed", "3", "--autopilot",
        "--no-twin",
    )  # fmt: skip

    assert graded["reported_incident"]
    assert graded["score"] >= 0.9
