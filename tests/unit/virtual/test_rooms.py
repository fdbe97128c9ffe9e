"""A virtual process with less room: neighbours on its cores, a quota of its own, fewer handlers."""

from __future__ import annotations

import pytest

from sandbox.virtual.machine.cores import SLICE_S
from services.skeleton.room import Room
from tests.unit.virtual.test_fabric import Bench, _note_end


class Given:
    """A wrapper that gives the process this room."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def around_sync(self, call, proceed):
        return self.room


def bench_with(room: Room, process: str = "ranking", **timing) -> Bench:
    bench = Bench(**timing)
    bench.fabric.seams[process].process.put(Given(room))
    return bench


def test_neighbours_take_an_equal_part_of_the_machine_from_every_process() -> None:
    bench = bench_with(Room(64, neighbours=3.0), cores=2)
    bench.loop.spawn(_note_end(bench, "model"))  # one of four for two cores
    bench.loop.run_until(1.0)
    bench.loop.spawn(_note_end(bench, "ranking"))
    bench.loop.spawn(_note_end(bench, "gateway"))
    bench.loop.run_until(2.0)

    ended = [(name, ms if ms < 1000 else ms - 1000) for name, _, ms in bench.ended]
    assert ended[0] == ("model", 20.0)
    assert ended[1] == ("ranking", 20.0)  # it begins alone, the next is one of five
    assert ended[2] == ("gateway", 25.0)
    model = bench.fabric.processes["model"]
    assert model.busy_s == pytest.approx(0.01)
    assert model.run_wait_s == pytest.approx(0.01)
    assert model.n_switched == round(0.01 / SLICE_S)


def test_a_quota_holds_its_process_until_the_next_period_and_no_other() -> None:
    bench = bench_with(Room(64, quota=0.04, period_s=0.1), cores=1)  # 4 of 100 ms
    for process in ("ranking", "model"):
        bench.loop.spawn(_note_end(bench, process))
    bench.loop.run_until(1.0)

    assert bench.ended == [("model", "", 14.0), ("ranking", "", 202.0)]  # 4, 4 and 2 ms, in three periods
    ranking = bench.fabric.processes["ranking"]
    assert ranking.busy_s == pytest.approx(0.01)
    assert ranking.throttled_s == pytest.approx(0.096 + 0.096)


def test_within_its_quota_a_process_goes_on_as_ever() -> None:
    bench = bench_with(Room(64, quota=0.2, period_s=0.1))
    bench.loop.spawn(_note_end(bench, "ranking"))
    bench.loop.run_until(1.0)

    assert bench.ended == [("ranking", "", 10.0)]
    assert bench.fabric.processes["ranking"].throttled_s == 0


def test_who_waits_for_a_core_that_others_have_is_told_as_such() -> None:
    bench = Bench(cores=1)
    for process in ("model", "ranking", "gateway"):
        bench.loop.spawn(_note_end(bench, process))
    bench.loop.run_until(1.0)

    waited = [round(bench.fabric.processes[name].run_wait_s, 6) for name in ("model", "ranking", "gateway")]
    assert waited == [0.0, 0.01, 0.02]


def test_taken_off_a_process_has_its_room_again_and_who_waits_goes_on() -> None:
    bench = Bench()
    given, seam = Given(Room(1, neighbours=9.0, quota=0.01)), bench.fabric.seams["features"].process
    seam.put(given)
    process = bench.fabric.processes["features"]
    assert process.handlers == 1

    seam.take_off(given)
    assert (process.handlers, process.room) == (64, None)
    bench.loop.spawn(_note_end(bench, "features"))
    bench.loop.run_until(1.0)
    assert bench.ended == [("features", "", 10.0)]


def test_a_collector_stops_its_process_each_time_it_asks() -> None:
    bench = bench_with(Room(64, collector_s=0.1))
    bench.loop.spawn(_note_end(bench, "ranking"))  # it comes as the collector works
    bench.loop.run_until(0.9)

    assert bench.ended == [("ranking", "", 110.0)]
    assert bench.fabric.processes["ranking"].collector_s == pytest.approx(0.4)  # at 0, 0.25, 0.5 and 0.75 s


@pytest.mark.parametrize(
    "nonsense", [{"handlers": 0}, {"quota": 0}, {"neighbours": -1}, {"collector_s": 0.3}, {"memory_mb": -1}]
)
def test_a_room_in_which_nothing_goes_on_is_none(nonsense) -> None:
    with pytest.raises(ValueError, match=next(iter(nonsense))):
        Room(**{"handlers": 64, **nonsense})
