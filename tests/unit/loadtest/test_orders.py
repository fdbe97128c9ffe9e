"""The load generator takes the orders that every process of a run takes, and draws anew at once."""

from __future__ import annotations

import gevent
import pytest

from loadtest.orders import Orders
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from sandbox.base.load import LoadTest
from sandbox.runtime.arming import control
from sandbox.runtime.arming.armoury import Armoury
from sandbox.runtime.arming.endpoint import Endpoint
from services.skeleton.seams import Seams


class Redrawn:
    """A schedule that notes when it was drawn anew."""

    def __init__(self):
        self.times, self.tests = [], []

    def redraw(self, now_ts):
        self.times.append(now_ts)

    def test(self, test, now_ts):
        self.tests.append((now_ts, test))


@pytest.fixture
def load(tmp_path):
    """The path of the control socket, the seams behind it and the schedule."""
    clock, schedule = VirtualClock(start=1000.0), Redrawn()
    seams = Seams(clock, clock)
    orders = Orders(tmp_path / "load.sock", Armoury("load", seams), schedule, clock)
    orders.start()
    yield tmp_path / "load.sock", seams, schedule
    orders.stop()
    assert not (tmp_path / "load.sock").exists()


def ask(path, op, **fields):
    """From another thread, as another process would: the socket is blocking."""
    return gevent.get_hub().threadpool.spawn(control.ask, Endpoint.at(path), op, **fields).get()


def test_a_crowd_is_put_on_and_taken_off_and_each_time_the_schedule_is_drawn_anew(load):
    path, seams, schedule = load

    assert ask(path, "arm", id="w1", fault="flash-crowd", params={"multiplier": 3}) == {"id": "w1"}
    assert len(seams.traffic.wrappers) == 1
    assert ask(path, "list") == {"ids": ["w1"]}
    assert ask(path, "disarm", id="w1") == {"was_armed": True}

    assert seams.traffic.wrappers == ()
    assert schedule.times == [1000.0, 1000.0]


@pytest.mark.parametrize(
    ("code", "order"),
    [
        ("FLT-003", {"op": "arm", "id": "w1", "fault": "session-stream-lag"}),
        ("FLT-002", {"op": "arm", "id": "w1", "fault": "flash-crowd", "params": {"multiplier": 0}}),
        ("FLT-001", {"op": "arm", "id": "w1", "fault": "flash-mob"}),
        ("CFG-003", {"op": "explode"}),
        ("CFG-003", {"op": "load-test", "test": {"rate_per_s": -1, "start_ts": 0, "until_ts": 60}}),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_nothing_is_armed(load, code, order):
    path, seams, schedule = load

    with pytest.raises(SandboxError, match=code):
        ask(path, **order)

    assert not seams.traffic
    assert schedule.times == []


def test_a_load_test_begins_and_ends_by_order(load):
    path, _, schedule = load
    wanted = LoadTest(rate_per_s=30, start_ts=1000.0, until_ts=1300.0)

    ask(path, "load-test", test=wanted.model_dump())
    ask(path, "load-test", test=None)

    assert schedule.tests == [(1000.0, wanted), (1000.0, None)]


def test_a_load_of_the_lab_beside_that_of_a_drill_leaves_it_the_orders(load):
    path, seams, _ = load
    clock = VirtualClock(start=1000.0)
    labs = Orders(path, Armoury("load", Seams(clock, clock)), Redrawn(), clock)

    assert not labs.start()
    labs.stop()

    ask(path, "arm", id="w1", fault="flash-crowd", params={"multiplier": 3})
    assert len(seams.traffic.wrappers) == 1, "the drill's load was told, and still listens"
    ask(path, "disarm", id="w1")


def test_what_a_load_that_died_left_behind_is_nobody(tmp_path):
    clock = VirtualClock(start=1000.0)
    (tmp_path / "load.sock").touch()
    orders = Orders(tmp_path / "load.sock", Armoury("load", Seams(clock, clock)), Redrawn(), clock)

    assert orders.start()
    assert ask(tmp_path / "load.sock", "list") == {"ids": []}
    orders.stop()
