"""A drill on a world made of real data: imported, trained, served, broken, found, reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
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
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "SANDBOX_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_gentlest_drill_is_found_and_mended_on_movielens(tmp_path):
    imported = sandbox(tmp_path, "world", "import", "movielens", str(dataset("ml-100k")), "--name", "ml-100k")
    assert (imported["users"], imported["items"]) == (943, 1682)
    assert all(check["ok"] for check in sandbox(tmp_path, "world", "check", "ml-100k"))

    graded = sandbox(
        tmp_path, "drill", "start", "slow-home", "--world", "ml-100k", "--seed", "3", "--autopilot", "--no-twin"
    )

    assert graded["reported_incident"]
    assert graded["score"] >= 0.9


def ratings(folder: Path) -> Path:
    """JSON lines: 40 people rate 60 things, a few of them twice."""
    rows = [
        {"user": f"u{k % 40}", "item": f"i{k * k % 61}", "rating": 1 + k % 5, "ts": 1_433_000_000 + 2_700 * k}
        for k in range(900)
    ]
    (folder / "log.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "log.jsonl"


def behaviours(folder: Path) -> Path:
    """Lists of what was shown, with what was clicked, as MIND has them."""
    lines = []
    for k in range(1_200):
        when = datetime.fromtimestamp(1_573_257_600 + 500 * k, UTC)
        shown = " ".join(f"N{j % 70}-{int(j % 7 == k % 7)}" for j in range(k, k + 4 + k % 9))
        lines.append(f"{k}\tU{k % 50}\t{when:%m/%d/%Y %I:%M:%S %p}\t\t{shown}")
    (folder / "behaviors.tsv").write_text("\n".join(lines))
    return folder / "behaviors.tsv"


def few(folder: Path) -> Path:
    """The least that is a log: two people and two things."""
    rows = [f"u{k % 2},i{k // 2 % 2},{1_433_000_000 + 9_000 * k}" for k in range(12)]
    (folder / "few.csv").write_text("\n".join(["user,item,ts", *rows]))
    return folder / "few.csv"


@pytest.mark.parametrize("log", [ratings, behaviours, few])
def test_a_world_that_imports_builds_its_models_and_runs_a_drill(tmp_path, log):
    imported = sandbox(tmp_path, "world", "import", "csv", "--interactions", str(log(tmp_path)), "--name", "mine")
    assert imported["rows"] == imported["interactions"] + sum(imported["skipped"].values())
    assert sandbox(tmp_path, "model", "build", "--world", "mine")["versions"]

    graded = sandbox(
        tmp_path, "drill", "start", "slow-home", "--world", "mine", "--seed", "3", "--autopilot",
        "--no-twin", "--backend", "virtual",
    )  # fmt: skip

    assert graded["reported_incident"]
    assert graded["score"] >= 0.9
