"""Names of faults are what one copies from the list: they are never cut, however narrow the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from faults.catalogue import CATALOGUE


def listed(*words: str, columns: int = 80) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.cli.app", "fault", *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": str(columns)},
    )
    return done.stdout


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_every_name_stands_whole_on_a_line(columns):
    lines = listed("list", columns=columns).splitlines()

    assert all(any(line.startswith(name) for line in lines) for name in CATALOGUE)


def test_list_and_show_say_where_it_can_be_armed_and_what_holds_there():
    row = next(r for r in json.loads(listed("list", "--json")) if r["name"] == "rpc-edge-latency")

    assert "gateway->features" in row["targets"]
    assert row["scope"] == ["callee", "ops", "regions", "paths", "user_buckets", "instances"]
    told = listed("show", "session-stream-lag")
    assert "armed in" in told
    assert "callee, ops, regions, user_buckets, items, groups, share, onset, until_s" in " ".join(told.split())
