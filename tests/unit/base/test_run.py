"""Which run a command means when none is named: one that is up, if any is."""

from __future__ import annotations

import fcntl
import os

import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.run import DRILL_LOCK, STACK_LOCK, is_alive, latest_run, newest_run
from sandbox.runtime.rundir import point_latest_to
from sandbox.runtime.stack import fresh_run_dir


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    for name in ("20260101-a", "20260102-b", "20260103-c"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        point_latest_to(tmp_path / "runs" / name)
    return tmp_path / "runs"


class Held:
    """A lock as a supervisor or a drill holds it."""

    def __init__(self, path):
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._fd)


def test_where_nothing_is_up_it_is_the_newest_there_was(runs):
    assert latest_run() == newest_run() == runs / "20260103-c"


@pytest.mark.parametrize("lock", [STACK_LOCK, DRILL_LOCK])
def test_one_that_is_up_comes_before_a_newer_one_that_is_not(runs, lock):
    with Held(runs / "20260101-a" / lock):
        assert latest_run() == runs / "20260101-a"
        with Held(runs / "20260102-b" / lock):
            assert latest_run() == runs / "20260102-b", "the newest that is up"
            with Held(runs / "20260103-c" / lock):
                assert latest_run() == runs / "20260103-c"
        assert newest_run() == runs / "20260103-c"
    assert not is_alive(runs / "20260101-a"), "a lock goes with its process"


def test_a_newest_run_that_was_removed_hides_none_that_is_up(runs):
    (runs / "20260103-c").rmdir()
    with Held(runs / "20260101-a" / STACK_LOCK):
        assert latest_run() == runs / "20260101-a"
    with pytest.raises(SandboxError, match="RUN-001"):
        latest_run()


def test_without_any_run_there_is_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "none"))
    with pytest.raises(SandboxError, match="sandbox up"):
        latest_run()


def test_runs_that_one_process_begins_in_a_second_have_directories_of_their_own():
    assert len({fresh_run_dir() for _ in range(200)}) == 200
