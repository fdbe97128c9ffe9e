"""Places in the virtual model's batches, by a beat: when each call's batch goes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.config import Beat
from sandbox.virtual.processes.handlers.model import Batches

BEAT = Beat(every_ms=25, calls=2)


def test_a_lone_call_waits_a_beat_and_those_who_come_together_go_two_at_a_beat():
    batches = Batches()

    assert batches.place(10.0, BEAT) == pytest.approx(10.025)
    assert [batches.place(20.0, BEAT) for _ in range(5)] == pytest.approx([20.025, 20.025, 20.05, 20.05, 20.075])


@given(
    st.lists(st.floats(0, 0.2), min_size=1, max_size=60), st.integers(1, 5), st.sampled_from([1.0, 25.0, 200.0])
)  # fmt: skip
def test_nobody_overtakes_waits_less_than_nothing_or_shares_with_more_than_there_is_room_for(gaps, calls, every_ms):
    beat, batches, now, gone = Beat(every_ms=every_ms, calls=calls), Batches(), 0.0, []
    for gap in gaps:
        now += gap
        gone.append(batches.place(now, beat))
        assert gone[-1] >= now

    assert gone == sorted(gone)
    times = sorted(set(gone))
    assert max(gone.count(at) for at in times) <= calls
    assert all(b - a >= every_ms / 1000 - 1e-9 for a, b in itertools.pairwise(times))
