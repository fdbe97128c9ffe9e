"""Pictures as numbers: everything stands inside, in order, at round marks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.debrief.axes import of_minutes, of_values
from sandbox.drill.debrief.curves import BEST, NOTHING, WENT, Curves
from sandbox.drill.debrief.pictures import Clock, harm_chart, timeline_picture
from tests.unit.drill.debriefs import debrief_of, perfect
from tests.unit.drill.scenes import scenario

FINITE = st.floats(-1e9, 1e9)


@given(low=FINITE, high=FINITE)
def test_an_axis_of_values_holds_both_ends_between_few_round_marks(low, high):
    low, high = min(low, high), max(low, high)

    axis = of_values(low, high, 300.0, 50.0)

    hair = 1e-6 * (axis.high - axis.low)  # of no picture's concern
    assert axis.low <= low + hair
    assert axis.high >= high - hair
    assert 2 <= len(axis.ticks) <= 8
    assert 50.0 - 0.1 <= axis.at(high) <= axis.at(low) <= 300.0 + 0.1


@given(low=st.floats(0, 3_000), length=st.floats(0, 10_000), began=st.floats(0, 1_439))
def test_an_axis_of_minutes_is_marked_at_round_times_of_day(low, length, began):
    axis = of_minutes(low, low + length, 0.0, 1_000.0, began)

    assert len(axis.ticks) <= 33
    for minute in axis.ticks:
        assert low - 1e-6 <= minute <= axis.high + 1e-6
        assert round(minute + began, 6) == round(minute + began), "a whole minute by the clock"


def test_minutes_are_named_by_the_worlds_clock_past_midnight_too():
    assert Clock("2026-02-25 23:30:00").name(45) == "00:15"
    assert Clock().name(45) == "45"


def test_a_minute_in_which_nobody_asked_is_no_hole_in_a_curve():
    minutes = np.arange(20, 320)
    values = np.where(minutes % 7 == 0, np.nan, 1.0)
    found = Curves("clicks", minutes, {NOTHING: values * 2, BEST: values * 0, WENT: values}, ((20.0, "onset"),))

    chart = harm_chart(found, Clock())

    points = [tuple(map(float, p.split(","))) for _, _, line in chart.lines for p in line.split()]
    assert all(chart.x.start <= x <= chart.x.end and chart.y.end <= y <= chart.y.start for x, y in points)
    assert chart.title.endswith("per world 3 minutes")
    assert chart.marks == ((chart.x.start, "onset"),)


def test_a_fault_is_a_bar_from_its_beginning_to_its_end():
    told = debrief_of(scenario(), perfect(scenario()))

    picture = timeline_picture(told["timeline"], told["length_s"], Clock(told["began"]))

    ((start, _, width, words),) = picture.spans
    assert words == "session-stream-lag on stream"
    assert start == picture.x.at(20)
    assert start + width == pytest.approx(picture.x.at(told["length_s"] / 60), abs=0.2)
    assert [m.step for m in picture.marks] == list(range(1, len(told["timeline"]) + 1))


def test_numbers_above_marks_do_not_run_into_each_other():
    rows = [{"ts": "2026-02-25 07:00:00", "at_s": 3_000.0 + n, "kind": "query", "what": "you ask", "words": "x"}
            for n in range(200)]  # fmt: skip

    picture = timeline_picture(rows, 6_000.0, Clock())

    shown = [m.x for m in picture.marks if m.numbered]
    assert 0 < len(shown) < 20
    assert np.diff(shown).min(initial=np.inf) >= 15
