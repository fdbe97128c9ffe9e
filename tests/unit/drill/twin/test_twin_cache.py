"""The twin cache keeps within its bound, lets the oldest go, and never what somebody uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.cli.app import main
from sandbox.drill.twin import cache as twin_cache


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    (tmp_path / "twins").mkdir()
    return tmp_path


def keep(home: Path, key: str, size: int, used_ts: float, lake: int = 0) -> None:
    ledger = home / "twins" / f"{key}.npz"
    ledger.write_bytes(b"x" * size)
    if lake:
        (home / "twins" / f"{key}.run" / "lake").mkdir(parents=True)
        (home / "twins" / f"{key}.run" / "lake" / "rows").write_bytes(b"x" * lake)
        os.utime(home / "twins" / f"{key}.run", (used_ts, used_ts))
    os.utime(ledger, (used_ts, used_ts))


def keys() -> list[str]:
    return [one.key for one in twin_cache.kept()]


def test_the_least_recently_used_go_until_the_rest_fits(home):
    for n, key in enumerate(("old", "older", "new")):
        keep(home, key, 100, used_ts=(50.0, 10.0, 90.0)[n], lake=100)

    gone = twin_cache.make_room(450)

    assert [one.key for one in gone] == ["older"]
    assert keys() == ["old", "new"]
    assert not (home / "twins" / "older.run").exists()
    assert twin_cache.make_room(450) == []


def test_what_a_living_process_uses_stays_beyond_the_bound(home):
    keep(home, "mine", 100, used_ts=1.0)
    keep(home, "free", 100, used_ts=2.0)
    twin_cache.hold(["mine"])

    twin_cache.make_room(0)

    assert keys() == ["mine"]


def test_what_the_dead_used_goes(home):
    keep(home, "theirs", 100, used_ts=1.0)
    said = "import sys; from sandbox.drill.twin import cache; cache.hold(['theirs'])"
    subprocess.run([sys.executable, "-c", said], check=True)
    assert len(list((home / "twins-in-use").iterdir())) == 1

    twin_cache.make_room(0)

    assert keys() == []
    assert list((home / "twins-in-use").iterdir()) == []


def test_a_process_holds_what_it_asked_for_last(home):
    for n in range(300):
        twin_cache.hold([f"k{n}"])
    keep(home, "k0", 10, used_ts=1.0)
    keep(home, "k299", 10, used_ts=0.0)

    twin_cache.make_room(0)

    assert keys() == ["k299"]


@pytest.mark.parametrize("said", ["many", "-1", "nan", "1e9"])
def test_a_bound_that_is_no_size_is_refused(home, monkeypatch, said):
    monkeypatch.setenv(twin_cache.LIMIT_GB, said)

    with pytest.raises(SandboxError, match="CFG-001"):
        twin_cache.limit_bytes()


def test_the_command_says_what_is_there_and_clears_it(home, monkeypatch, capsys):
    monkeypatch.setenv(twin_cache.LIMIT_GB, "0.5")
    keep(home, "one", 1_000, used_ts=1.0, lake=2_000)

    def ran(*words: str) -> dict[str, object]:
        with pytest.raises(SystemExit):
            main(["cache", *words, "--json"])
        told: dict[str, object] = json.loads(capsys.readouterr().out)
        return told

    before = ran()
    assert (before["runs"], before["bytes"], before["limit_bytes"]) == (1, 3_000, 500_000_000)
    after = ran("--clear")
    assert (after["removed"], after["removed_bytes"], after["runs"]) == (1, 3_000, 0)
