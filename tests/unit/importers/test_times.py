from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.world.importers.times import EARLIEST, LATEST, read_column, read_dates, recognise, year_or_date

NOON = datetime(2021, 3, 14, 12, 0, tzinfo=UTC).timestamp()
LATE = datetime(2021, 3, 27, 23, 59, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        (["1615723200"], [NOON]),
        (["1615723200.5"], [NOON + 0.5]),
        (["1615723200000"], [NOON]),
        (["1615723200000000"], [NOON]),
        (["1615723200000000000"], [NOON]),
        (["2021-03-14T12:00:00Z"], [NOON]),
        (["2021-03-14 12:00:00"], [NOON]),
        (["2021-03-14 13:00:00+01:00"], [NOON]),
        (["2021-03-14 12:00:00.000 UTC"], [NOON]),
        (["2021-03-14 12:00:00 UTC"], [NOON]),
        (["2021-03-14T14:00:00+0200"], [NOON]),
        (["2021-03-14T13:00+01:00"], [NOON]),
        (["Sunday, 14 March 2021 12:00"], [NOON]),
        (["11/14/2019 9:05:58 AM"], [1_573_722_358]),
        (["14-Mar-21"], [NOON - 43_200]),
        (["2021.03.14 12:00"], [NOON]),
        (["Sun Mar 14 12:00:00 +0000 2021"], [NOON]),
        (["20210314"], [NOON - 43_200]),
        (["20210314120000"], [NOON]),
        (["03/14/2021 12:00", "03/27/2021 23:59"], [NOON, LATE - 30]),
        (["14/03/2021 12:00", "27/03/2021 23:59"], [NOON, LATE - 30]),
        (["14.03.2021 12:00:00", "27.03.2021 23:59:30"], [NOON, LATE]),
        (["14-Mar-2021"], [NOON - 43_200]),
        (["Mar 14, 2021"], [NOON - 43_200]),
        (["Sun, 14 Mar 2021 12:00:00 GMT"], [NOON]),
        (["14/Mar/2021:12:00:00 +0000"], [NOON]),
    ],
)
def test_common_forms_of_time_mean_the_same_moment(texts: list[str], seconds: list[float]) -> None:
    form, _ = recognise(texts, "log, column 'time'")
    np.testing.assert_allclose([form.parse(text) for text in texts], seconds, atol=1e-3)


def test_a_day_that_could_be_a_month_is_said() -> None:
    _, note = recognise(["01/02/2021", "03/04/2021"], "log, column 'when'")
    assert "%m/%d/%Y" in note
    assert "%d/%m/%Y" in note


def test_one_clear_date_decides_for_all() -> None:
    form, note = recognise(["01/02/2021", "25/04/2021"], "log, column 'when'")
    assert form.name == "%d/%m/%Y"
    assert not note


@pytest.mark.parametrize("texts", [[], [" "], ["yesterday", "now"], ["3", "17", "42"]])
def test_what_is_no_time_is_refused_with_the_column_named(texts: list[str]) -> None:
    with pytest.raises(SandboxError, match="WORLD-002") as refused:
        recognise(texts, "log, column 'when'")
    assert "'when'" in refused.value.where


@given(ts=st.floats(EARLIEST, LATEST - 1), unit=st.sampled_from([1, 1e3, 1e6, 1e9]))
def test_any_epoch_comes_back_whatever_its_unit(ts: float, unit: float) -> None:
    text = f"{int(ts * unit)}"
    form, _ = recognise([text], "log")
    assert abs(form.parse(text) - ts) <= 1 + 1e-6 * ts


def test_the_whole_column_decides_and_not_its_first_rows() -> None:
    early = [f"{day:02d}/04/2021 00:23" for day in range(3, 12) for _ in range(100)]
    texts = [*early, "13/04/2021 00:23"]
    times = read_column(texts, "log")
    assert times.form.name == "%d/%m/%Y"
    assert not np.isnan(times.ts).any()


def test_of_two_orders_the_one_under_which_the_column_is_sorted_is_taken() -> None:
    texts = [f"{day:02d}/{month:02d}/2021" for month in (3, 4, 5) for day in range(1, 13)]
    times = read_column(texts, "log")
    assert (times.form.name, times.rival) == ("%d/%m/%Y", "%m/%d/%Y")


def test_dates_of_things_may_be_older_than_logs_are() -> None:
    ts = read_dates(["Apr 2, 1939", "May 3, 2005", "", "1995", "some day"])
    assert ts[0] < 0 < ts[1]
    assert np.isnan(ts).tolist() == [False, False, True, False, True]


def test_years_are_dates_of_publication() -> None:
    assert year_or_date("1995", None) == datetime(1995, 1, 1, tzinfo=UTC).timestamp()
    assert np.isnan(year_or_date("soon", None))
