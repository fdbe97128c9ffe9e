"""Ctrl-C and requests to end come after what must not be half done."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sandbox.base.interrupts import put_off


@pytest.fixture(autouse=True)
def as_a_program():
    """Both end a program by an exception, as Python and sandbox.cli.app have it. (Workers of tests ignore SIGINT.)"""

    def ends(number, _frame):
        raise SystemExit(128 + number)

    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, ends),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_what_comes_meanwhile_comes_when_it_is_done(number, raised):
    done = []

    def do():
        with put_off():
            os.kill(os.getpid(), number)
            with put_off():  # within another it changes nothing
                os.kill(os.getpid(), number)
            done.append("all of it")

    with pytest.raises(raised):
        do()

    assert done == ["all of it"]
    with pytest.raises(raised):  # and afterwards it comes at once again
        os.kill(os.getpid(), number)


def test_what_failed_meanwhile_is_not_lost():
    def fail():
        with put_off():
            os.kill(os.getpid(), signal.SIGTERM)
            raise ValueError("it failed")

    with pytest.raises(SystemExit) as ended:
        fail()

    assert isinstance(ended.value.__context__, ValueError)


def test_what_is_ignored_stays_ignored():
    """As SIGHUP is under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with put_off():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_it_does_nothing():
    seen = []

    def work():
        with put_off():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [before]
