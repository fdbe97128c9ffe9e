from services.skeleton.replica import HELD
from tests.unit.faults.rounds import round_of


def test_every_round_holds_the_replica_back_unless_it_is_held_already(bench):
    armed = bench(fault="replica-lag-stale-read", params={"lag_s": 20})

    assert round_of(armed) == round_of(armed, 2) == [("SET", HELD, 20_000, "PX", 20_000, "NX")]


def test_unwrapped_it_may_catch_up(bench):
    armed = bench(fault="replica-lag-stale-read")
    armed.seam.take_off(armed.armed)

    assert round_of(armed) == []
