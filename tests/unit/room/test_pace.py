"""How far a world should have come by the wall clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.room.pace import MOST_AT_ONCE_S, MOST_STEP_S, Pace

WALLS = st.lists(st.floats(-1e6, 1e6, allow_nan=False), max_size=40)


def test_a_minute_of_world_for_each_second_of_wall():
    pace = Pace()
    went = sum(pace.due_s(0.25 * n, 60.0) for n in range(41))

    assert went == 600.0


def test_nothing_is_due_while_the_world_stands_still_and_nothing_is_made_up_for_afterwards():
    pace = Pace()
    pace.due_s(0.0, 60.0)
    still = [pace.due_s(0.2 * n, 0.0) for n in range(50)]

    assert still == [0.0] * 50
    assert pace.due_s(10.0, 60.0) <= 60.0 * 0.2 + 1e-9


def test_what_moved_the_world_otherwise_counts():
    pace = Pace()
    pace.due_s(0.0, 60.0)
    pace.went(30.0)

    assert pace.due_s(0.25, 60.0) == 0.0
    assert pace.due_s(0.75, 60.0) == 15.0


@given(walls=WALLS, rate=st.sampled_from([0.0, 6.0, 60.0, 600.0]))
def test_however_the_clock_jumps_no_step_is_long_or_backwards_but_for_what_went_ahead(walls, rate):
    pace, total = Pace(), 0.0
    for wall in walls:
        step = pace.due_s(wall, rate)
        total += step
        assert 0.0 <= step <= MOST_AT_ONCE_S

    assert total <= max(0, len(walls) - 1) * MOST_STEP_S * rate
