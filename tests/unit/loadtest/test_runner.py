"""What a load cannot be is refused before a process starts."""

from __future__ import annotations

import time

import pytest

from loadtest.runner import Load
from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo


@pytest.mark.parametrize(
    "absurd",
    [
        {"rate": 0}, {"rate": -1}, {"rate": 1e6}, {"rate": float("nan")}, {"duration_s": 0},
        {"duration_s": -5}, {"duration_s": float("nan")}, {"duration_s": float("inf")},
        {"slate_size": 0}, {"slate_size": -1}, {"slate_size": 10_000}, {"seed": -1},
    ],
)  # fmt: skip
def test_an_absurd_load_is_refused(tmp_path, absurd):
    run = RunInfo(
        run_dir=str(tmp_path), world="tiny", world_dir=str(tmp_path), world_start=0.0,
        wall_start=time.time(), speed=60.0, seed=1, redis="", addresses={"gateway": "127.0.0.1:1"},
        metrics={},
    )  # fmt: skip

    with pytest.raises(SandboxError, match="CFG-004"):
        Load(run, **absurd)

    assert list(tmp_path.iterdir()) == []
