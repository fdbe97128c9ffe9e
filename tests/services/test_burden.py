"""What holds a live process up is real, and goes with the room, and with the process."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from services.skeleton.burden import Burden
from services.skeleton.room import Room
from tests.services.waiting import wait_for

USUAL = Room(64)


@pytest.fixture
def burden():
    held = []
    burden = Burden(held.append)
    burden.held_ms = held
    yield burden
    burden.give(USUAL)


def neighbours():
    """Children of this process that are one's own: other tests may have left workers of theirs."""
    return [p for p in psutil.Process().children() if "other_work" in " ".join(_words(p))]


def _words(process):
    try:
        return process.cmdline()  # a zombie has none
    except psutil.Error:
        return []


def test_neighbours_work_while_the_room_has_them_and_go_with_it(burden):
    burden.give(Room(64, neighbours=1.5))

    there = neighbours()
    assert len(there) == 2
    assert wait_for(lambda: all(p.cpu_times().user > 0.05 for p in there), 20, "neighbours that work")
    burden.give(USUAL)
    assert neighbours() == []


def test_a_room_as_before_leaves_its_neighbours_at_work(burden):
    burden.give(Room(64, neighbours=1))
    before = neighbours()

    burden.give(Room(8, neighbours=1))

    assert neighbours() == before


def test_a_neighbour_ends_with_the_process_however_that_ended():
    story = (
        "from services.skeleton.burden import Burden; from services.skeleton.room import Room; import time\n"
        "b = Burden(print); b.give(Room(1, neighbours=1)); print(b._neighbours[0].pid, flush=True); time.sleep(60)"
    )
    service = subprocess.Popen([sys.executable, "-c", story], stdout=subprocess.PIPE, text=True)
    neighbour = psutil.Process(int(service.stdout.readline()))

    os.kill(service.pid, signal.SIGKILL)
    service.wait()
    service.stdout.close()

    assert wait_for(lambda: not neighbour.is_running() or neighbour.status() == "zombie", 10, "no neighbour")


def test_a_quota_stands_the_process_still_for_the_rest_of_each_period(burden):
    burden.give(Room(64, quota=0.2, period_s=0.05))
    began, used = time.monotonic(), time.process_time()

    while sum(burden.held_ms) < 300:
        sum(range(1000))

    wall_s = time.monotonic() - began
    assert time.process_time() - used < 0.7 * wall_s


def test_whoever_lifted_a_quota_is_held_no_more_and_told_of_nothing_later(burden):
    for _ in range(10):  # each time caught at another point of a period
        burden.give(Room(64, quota=0.1, period_s=0.02))
        told = len(burden.held_ms)
        while len(burden.held_ms) < told + 2:
            sum(range(1000))
        burden.give(USUAL)

        seen = list(burden.held_ms)
        assert not any(thread.name == "limits" for thread in threading.enumerate())
        assert burden.held_ms == seen


def test_memory_that_is_held_is_resident_and_goes_with_the_room(burden):
    def resident_mb():
        return psutil.Process().memory_info().rss / 2**20

    before = resident_mb()
    burden.give(Room(64, memory_mb=200))
    held = resident_mb()
    burden.give(USUAL)

    assert held > before + 150
    assert resident_mb() < held - 150


def test_collections_take_so_long_each_time_and_are_those_of_the_collector(burden):
    seen = []

    def note(phase, of):
        if of["generation"] == 2:
            seen.append(time.perf_counter())

    gc.callbacks.append(note)
    try:
        burden.give(Room(64, collector_s=0.05))
    finally:
        gc.callbacks.remove(note)

    assert seen[-1] - seen[0] >= 0.04
