"""What really holds a live process up: neighbours that work on the same cores, a quota on its own work, memory that it
does not use, and its garbage collector."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from services.skeleton.room import Room

_PROGRAM = Path(__file__).with_name("other_work.py")
_LOOKS = 20  # at what was used, in one period


class Burden:
    """throttled: is told milliseconds, whenever the quota has held the process."""

    def __init__(self, throttled: Callable[[float], None]) -> None:
        self._throttled = throttled
        self._neighbours: list[subprocess.Popen[bytes]] = []
        self._room = Room(1)
        self._throttle: Throttle | None = None
        self._memory = b""

    def give(self, room: Room) -> None:
        """What the room says is in force."""
        before, self._room = self._room, room
        if room.neighbours != before.neighbours:
            self._end_neighbours()
            self._neighbours = [_begin(part) for part in _parts(room.neighbours)]
        if (room.quota, room.period_s) != (before.quota, before.period_s):
            if self._throttle is not None:
                self._throttle.lift()
            self._throttle = None
            if room.quota is not None:
                self._throttle = Throttle(room.quota, room.period_s, self._throttled)
                self._throttle.start()

        if room.memory_mb != before.memory_mb:
            self._memory = b"\1" * int(room.memory_mb * 2**20)  # written, or no page of it would be there
        if room.collector_s:
            _collect(room.collector_s)

    def _end_neighbours(self) -> None:
        for program in self._neighbours:
            program.kill()
        for program in self._neighbours:
            program.wait()
        self._neighbours = []


class Throttle(threading.Thread):
    """Lets its own process use no more than its quota of processor time in each period: it stands still for the
    rest of one. So do the quotas of containers (Linux, sched-bwc.rst), from outside."""

    def __init__(self, quota: float, period_s: float, throttled: Callable[[float], None]) -> None:
        super().__init__(name="limits", daemon=True)  # nothing is lost with it
        self.quota, self.period_s, self.throttled = quota, period_s, throttled
        self.over = threading.Event()
        # Called with Python's lock held, so that nobody in the process goes on meanwhile. No signal, and no
        # other process, has to wake it: it cannot stay asleep.
        self._still = ctypes.PyDLL(None).usleep

    def lift(self) -> None:
        """Whoever returns from here is held no more, and all that was held has been told."""
        self.over.set()
        self.join()

    def run(self) -> None:
        while not self.over.is_set():
            ends, used = time.monotonic() + self.period_s, time.process_time()
            while (left_s := ends - time.monotonic()) > 0 and not self.over.is_set():
                if time.process_time() - used >= self.quota * self.period_s:
                    self._still(int(left_s * 1e6))
                    self.throttled(left_s * 1000)
                    break
                self.over.wait(min(left_s, self.period_s / _LOOKS))


def _collect(seconds: float) -> None:
    """Full collections, one after the other: what they take is seen as that of any."""
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        gc.collect()


def _parts(neighbours: float) -> list[float]:
    """Of one core each, together so many."""
    return [min(1.0, neighbours - n) for n in range(math.ceil(neighbours))]


def _begin(part: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", str(_PROGRAM), f"{part:g}", str(os.getpid())]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
