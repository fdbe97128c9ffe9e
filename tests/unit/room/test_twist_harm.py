"""The harm of a live room, which has no ledger: what its signals say beside their own quiet past, and that this is no harm."""

from __future__ import annotations

from sandbox.room.overview import Overview
from sandbox.room.twists.harm_live import of_signals

POINTS = [(60.0 * n, 20.0 if n < 10 else 80.0) for n in range(20)]
SEEN = Overview(world_ts=1_200.0, signals={"latency_p99_ms": POINTS, "ctr": []})


def test_a_live_room_is_held_against_its_own_quiet_part():
    told = of_signals(SEEN, 0.0, 600.0, None, touched=False)

    assert (told.sums["latency_p99_ms"].here, told.sums["latency_p99_ms"].healthy) == (80.0, 20.0)
    assert told.sums["latency_p99_ms"].harm is None
    assert (told.sums["ctr"].here, told.sums["ctr"].healthy) == (None, None)
    assert "no harm" in told.why


def test_without_an_onset_the_quiet_part_ends_with_the_page():
    assert of_signals(SEEN, 0.0, None, 600.0, touched=True).sums["latency_p99_ms"].healthy == 20.0
    assert of_signals(SEEN, 0.0, None, None, touched=True).sums["latency_p99_ms"].healthy == 50.0
    assert "hand" in of_signals(SEEN, 0.0, None, None, touched=True).why
