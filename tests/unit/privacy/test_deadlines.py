"""By when an answer is due: months, calendar days, business days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.privacy.deadlines import (
    Deadline,
    add_business_days,
    add_months,
    due,
    is_business_day,
    next_business_day,
)  # fmt: skip

days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
counts = st.integers(1, 200)
holidays = st.frozensets(st.dates(date(2025, 1, 1), date(2027, 1, 1)), max_size=20)


@pytest.mark.parametrize(
    ("asked", "deadline", "by"),
    [
        (date(2026, 1, 31), Deadline(count=1, unit="month"), date(2026, 3, 2)),  # 28 February is a Saturday
        (date(2024, 1, 31), Deadline(count=1, unit="month"), date(2024, 2, 29)),
        (date(2026, 3, 2), Deadline(count=1, unit="month"), date(2026, 4, 2)),
        (date(2026, 3, 2), Deadline(count=45, unit="calendar-day"), date(2026, 4, 16)),
        (date(2026, 3, 2), Deadline(count=10, unit="business-day"), date(2026, 3, 16)),
        (date(2026, 2, 27), Deadline(count=15, unit="business-day"), date(2026, 3, 20)),
        (date(2026, 2, 28), Deadline(count=1, unit="business-day"), date(2026, 3, 2)),  # asked on a Saturday
    ],
)
def test_an_answer_is_due_when_the_law_says(asked, deadline, by):
    assert due(asked, deadline) == by


def test_an_extension_is_as_much_again_from_the_same_day():
    deadline = Deadline(count=1, unit="month", extension=2)
    assert due(date(2026, 3, 2), deadline, extended=True) == date(2026, 6, 2)


def test_a_holiday_moves_an_end_and_stretches_business_days():
    friday = date(2026, 4, 3)
    assert due(date(2026, 3, 3), Deadline(count=1, unit="month"), holidays={friday}) == date(2026, 4, 6)
    assert add_business_days(date(2026, 4, 1), 2, {friday}) == date(2026, 4, 6)


@given(days, counts, holidays)
def test_business_days_added_are_the_business_days_between(start, count, off):
    end = add_business_days(start, count, off)
    after = (start + timedelta(days=n) for n in range(1, (end - start).days + 1))
    assert sum(is_business_day(day, off) for day in after) == count
    assert is_business_day(end, off)


@given(days, st.integers(0, 60))
def test_a_month_later_is_in_the_month_asked_for_and_never_past_the_day(start, count):
    end = add_months(start, count)
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == count
    assert end.day == start.day or (end.day < start.day and (end + timedelta(days=1)).day == 1)


@given(days, counts, holidays)
def test_no_end_is_a_day_off_and_more_time_is_never_less(start, count, off):
    for unit in ("month", "calendar-day", "business-day"):
        short, long = (due(start, Deadline(count=n, unit=unit), holidays=off) for n in (count, count + 1))
        assert start < short <= long
        assert is_business_day(short, off)
    assert next_business_day(start, off) >= start
