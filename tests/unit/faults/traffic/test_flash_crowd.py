import numpy as np

from loadtest.schedule import Sessions
from services.skeleton.seams import Call


class Callers:
    """Arrivals of one session a second; what is asked of it is kept."""

    catalogue = None

    def __init__(self):
        self.asked = []

    def usual(self, start_ts, end_ts):
        ts = np.arange(start_ts, end_ts)
        return Sessions(ts, np.zeros(len(ts), int), np.arange(len(ts)))

    def more(self, start_ts, end_ts, factor, name, users=None):
        self.asked.append((start_ts, end_ts, factor, name, users))
        ts = np.linspace(start_ts, end_ts, int(factor * (end_ts - start_ts)), endpoint=False)
        return Sessions(ts, np.ones(len(ts), int), 1_000 + np.arange(len(ts)))


def drawn(armed, arrivals, start_ts=1000.0, end_ts=1060.0):
    call = Call("traffic", "load", "arrivals", "draw", session=int(start_ts // 60),
                payload=(start_ts, end_ts), attributes={"arrivals": arrivals})  # fmt: skip
    return armed.seam.run_sync(call, lambda c: arrivals.usual(*c.payload))


def test_three_times_as_many_come_and_those_who_came_before_still_do(bench):
    arrivals = Callers()

    come = drawn(bench(fault="flash-crowd", params={"multiplier": 3}), arrivals)

    assert len(come.ts) == 180
    assert (np.diff(come.ts) >= 0).all()
    usual = arrivals.usual(1000.0, 1060.0)
    assert come.session[come.session < 1_000].tolist() == usual.session.tolist()
    assert arrivals.asked[0][2:] == (2.0, "flash-crowd", None)


def test_before_its_onset_nobody_more_comes(bench):
    armed = bench(fault="flash-crowd", since=5000.0)  # it is 1000 now

    assert len(drawn(armed, Callers()).ts) == 60


def test_taken_off_the_next_minute_is_as_usual(bench):
    armed = bench(fault="flash-crowd")
    armed.seam.take_off(armed.armed)

    assert len(drawn(armed, Callers()).ts) == 60
