"""The log of operations keeps whole lines, also over crashes and full disks."""

from __future__ import annotations

import errno
import os
import time

import pytest

from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo
from sandbox.runtime.operate import operations as module
from sandbox.runtime.operate.operations import Operations


@pytest.fixture
def operations(tmp_path) -> Operations:
    """On a run without processes: nobody has to switch, nobody takes rows."""
    run = RunInfo(
        run_dir=str(tmp_path), world="tiny", world_dir=str(tmp_path), world_start=1_772_000_000.0,
        wall_start=time.time(), speed=60.0, seed=1, redis="", addresses={}, metrics={},
    )  # fmt: skip
    Config().save(tmp_path)
    return Operations(run)


def note(operations: Operations, what: str) -> None:
    operations.note(actor="x", op="restart", arguments={}, target=what, key="k", old="a", new="b")


def no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_follows_a_line_that_was_cut_off_is_kept(operations, tmp_path):
    note(operations, "first")
    log = tmp_path / "operations.jsonl"
    log.write_bytes(log.read_bytes() + b'{"n": 2, "ts"')

    note(operations, "second")

    assert [(r.n, r.target) for r in operations.records()] == [(1, "first"), (2, "second")]


def test_on_a_full_disk_an_operation_is_refused_whole(operations, monkeypatch):
    note(operations, "first")
    write = os.write

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", lambda fd, line: write(fd, line[:30]))
        with pytest.raises(SandboxError, match="RUN-005"):
            note(operations, "second")
    note(operations, "third")

    assert [(r.n, r.target) for r in operations.records()] == [(1, "first"), (2, "third")]


@pytest.mark.parametrize("full", ["append_line", "write_atomically"])
def test_a_change_that_cannot_be_recorded_is_not_left_in_force(operations, monkeypatch, tmp_path, full):
    """Either file may be the one that finds no space."""
    monkeypatch.setattr(operations, "reload", lambda services: None)
    before = Config.load(tmp_path).model_dump(exclude={"version"})
    where = module if full == "append_line" else module_of_config()
    with monkeypatch.context() as disk:
        disk.setattr(where, full, no_space)
        with pytest.raises(SandboxError, match="RUN-005"):
            operations.apply(
                {"rules": {"explore_share": 0.1}}, actor="operator", op="set", arguments={},
                target="rules", key="explore_share", new="0.1",
            )  # fmt: skip

    assert Config.load(tmp_path).model_dump(exclude={"version"}) == before
    assert operations.records() == []


def module_of_config():
    from sandbox.base import config

    return config
