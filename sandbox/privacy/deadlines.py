"""When an answer is due: months, calendar days and business days. Pure.

A period begins on the day after the request came in. Months end on the day of the same number, or on the month's
last where it has none. A period in months or calendar days that ends on a day off ends on the next business day.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection
from datetime import date, timedelta
from typing import Literal

from pydantic import BaseModel, Field

Unit = Literal["month", "calendar-day", "business-day"]
_NONE: frozenset[date] = frozenset()
_SATURDAY = 5


class Deadline(BaseModel, extra="forbid", frozen=True, strict=True):
    """So many units after a request; extension: as many more of them where the person is told why."""

    count: int = Field(ge=1, le=400)
    unit: Unit
    extension: int = Field(default=0, ge=0, le=400)


def due(asked: date, deadline: Deadline, *, extended: bool = False, holidays: Collection[date] = _NONE) -> date:
    """The last day on which the answer is in time. asked: the day on which the request came in."""
    count = deadline.count + (deadline.extension if extended else 0)
    if deadline.unit == "business-day":
        return add_business_days(asked, count, holidays)
    end = add_months(asked, count) if deadline.unit == "month" else asked + timedelta(days=count)
    return next_business_day(end, holidays)


def is_business_day(day: date, holidays: Collection[date] = _NONE) -> bool:
    """Monday to Friday, and no holiday."""
    return day.weekday() < _SATURDAY and day not in holidays


def next_business_day(day: date, holidays: Collection[date] = _NONE) -> date:
    """That day, or the first business day after it."""
    while not is_business_day(day, holidays):
        day += timedelta(days=1)
    return day


def add_business_days(day: date, count: int, holidays: Collection[date] = _NONE) -> date:
    """The count-th business day after `day`, which itself does not count."""
    for _ in range(count):
        day = next_business_day(day + timedelta(days=1), holidays)
    return day


def add_months(day: date, count: int) -> date:
    """The same day of the month, `count` months on; the month's last where it is shorter."""
    months = day.year * 12 + day.month - 1 + count
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
