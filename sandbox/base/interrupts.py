"""Ctrl-C and requests to end, put off while something is done that must not be half done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def put_off() -> Iterator[None]:
    """What asks this process to end is heard at the end of the block, as if it came then.

    An exception that a signal's handler raises may come between any two steps, and grpc's event loop does not survive
    one in the middle of a call: the process dies by SIGSEGV. Without effect outside of the main thread, where handlers
    never run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    heeded = [number for number in _STOPS if signal.getsignal(number) is not signal.SIG_IGN]  # it is under nohup
    before = {number: signal.signal(number, lambda stop, _: heard.append(stop)) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for stop in dict.fromkeys(heard):
            os.kill(os.getpid(), stop)
