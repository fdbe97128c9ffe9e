"""The harm of a live room, which has no ledger: what its signals say beside their own quiet past, and that this is no harm."""

from __future__ import annotations

from sandbox.room.overview import Overview
from sandbox.room.twists.harm_live import intervals, of_signals
from tests.unit.drill.twin.test_harm import small

POINTS = [(60.0 * n, 20.0 if n < 10 else 80.0) for n in range(20)]
SEEN = Overview(world_ts=1_200.0, signals={"latency_p99_ms": POINTS, "ctr": []})


def test_a_live_room_is_held_against_its_own_quiet_part():
    told = of_signals(SEEN, 0.0, 600.0, None, touched=False)

    assert (told.sums["latency_p99_ms"].here, told.sums["latency_p99_ms"].healthy) == (80.0, 20.0)
    assert told.sums["latency_p99_ms"].harm is None
    assert (told.sums["ctr"].here, told.sums["ctr"].healthy) == (None, None)
    assert "no harm" in told.why
    assert told.sums["latency_p99_ms"].low is None, "ten quiet minutes tell no range"


def test_beside_a_quiet_past_stands_what_nine_of_ten_of_its_minutes_lie_between():
    points = [(60.0 * n, float(n)) for n in range(101)]

    told = of_signals(Overview(world_ts=6_300.0, signals={"ctr": points}), 0.0, None, 6_100.0, touched=False).sums[
        "ctr"
    ]

    assert (told.low, told.high) == (5.0, 95.0)


def test_the_harm_so_far_has_the_interval_that_the_twin_gives_it():
    """Ten users who click here less than on the healthy day: all by two, or all as on that day."""
    healthy = small(*((10.0 * user, user, 50.0, 3) for user in range(10)))
    worse = small(*((10.0 * user, user, 50.0, 1) for user in range(10)))

    there, none = (intervals(one, healthy, 0.0, 600.0)["clicks"] for one in (worse, healthy))

    assert there.estimate == 20.0
    assert 0.0 < there.low < 20.0 < there.high
    assert (none.low, none.estimate, none.high) == (0.0, 0.0, 0.0)
    assert intervals(worse, healthy, 0.0, 600.0)["clicks"] == there, "it does not flicker"


def test_without_an_onset_the_quiet_part_ends_with_the_page():
    assert of_signals(SEEN, 0.0, None, 600.0, touched=True).sums["latency_p99_ms"].healthy == 20.0
    assert of_signals(SEEN, 0.0, None, None, touched=True).sums["latency_p99_ms"].healthy == 50.0
    assert "hand" in of_signals(SEEN, 0.0, None, None, touched=True).why
