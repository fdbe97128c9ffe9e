"""A lock is held by one, shared by those who only read, and let go of with its process."""

import signal
import subprocess
import sys

import pytest

from sandbox.base.locks import alone, at_once, is_held

HOLD = "import sys,pathlib; from sandbox.base.locks import alone\nwith alone(pathlib.Path(sys.argv[1])):\n  print('held', flush=True); sys.stdin.read()"


def test_whoever_comes_second_is_told_and_has_it_when_the_first_is_done(tmp_path):
    lock = tmp_path / "lock"

    with alone(lock):
        assert is_held(lock)
        with pytest.raises(BlockingIOError), at_once(lock):
            pass

    assert not is_held(lock)
    with at_once(lock):
        assert is_held(lock)


def test_those_who_share_it_keep_out_only_who_wants_it_alone(tmp_path):
    lock = tmp_path / "lock"

    with at_once(lock, shared=True), at_once(lock, shared=True):
        assert not is_held(lock)
        with pytest.raises(BlockingIOError), at_once(lock):
            pass


def test_what_raises_inside_lets_go_of_it(tmp_path):
    lock = tmp_path / "lock"

    with pytest.raises(KeyError), alone(lock):
        raise KeyError("in the middle")

    assert not is_held(lock)


def test_nobody_holds_a_lock_that_there_is_not(tmp_path):
    assert not is_held(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path):
    lock = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert is_held(lock)

    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    assert not is_held(lock)
