"""The features core: which views there are, what may be asked, what a read looked like."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, VIEWS, Rows, Status, pack, unpack_many
from services.features.core import MAX_ITEMS, asked_items, asked_views, figures, rows_of, views_with
from services.features.server import packed

NOW = 1_772_000_000.0


def test_a_configured_age_takes_the_place_of_the_views_own():
    views = views_with({"item_stats": 60.0})
    blob = pack(ITEM_STATS, np.ones(16), NOW - 61, run=3)
    assert unpack_many(views["item_stats"], [blob], NOW).status[0] == Status.EXPIRED
    assert unpack_many(ITEM_STATS, [blob], NOW).status[0] == Status.PRESENT
    assert views["user_seen"] == VIEWS["user_seen"]


@pytest.mark.parametrize(("ages", "code"), [({"nonsense": 1.0}, "STORE-002"), ({"item_stats": 0.0}, "CFG-001")])
def test_a_bad_age_is_refused(ages, code):
    with pytest.raises(SandboxError, match=code):
        views_with(ages)


def test_a_view_of_another_entity_is_refused():
    views = views_with({})
    assert asked_views(["user_seen"], "user", views) == [VIEWS["user_seen"]]
    for name in ("item_stats", "nonsense", ""):
        with pytest.raises(SandboxError, match="STORE-002"):
            asked_views([name], "user", views)


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        (b"1234567", "WIRE-001"),
        (np.array([-1]).tobytes(), "WIRE-002"),
        (np.zeros(MAX_ITEMS + 1, np.int64).tobytes(), "WIRE-002"),
    ],
)
def test_item_ids_that_cannot_be_are_refused(packed, code):
    with pytest.raises(SandboxError, match=code):
        asked_items(packed)


def test_no_items_is_a_read_of_no_rows():
    assert len(asked_items(b"")) == 0
    found = figures(unpack_many(ITEM_STATS, [], NOW), NOW)
    assert found == (0, 0, 0, None, None)


rows = st.lists(st.one_of(st.none(), st.floats(0, 9 * 86_400), st.just(b"rubbish")), min_size=1, max_size=40)


@given(rows)
def test_figures_count_what_is_there(ages):
    blobs = [pack(ITEM_STATS, np.ones(16), NOW - age, run=1) if isinstance(age, float) else age for age in ages]
    read = unpack_many(ITEM_STATS, blobs, NOW)
    found = figures(read, NOW)
    known = sorted(NOW - (NOW - age) for age in ages if isinstance(age, float))
    assert found.n == len(ages)
    assert found.missing == len(ages) - len(known)
    assert found.expired == sum(age > ITEM_STATS.max_age_s for age in known)
    if known:
        assert found.age_max_s == known[-1]
        assert found.age_p50_s == known[len(known) // 2]
    else:
        assert found.age_p50_s is None


@given(rows)
def test_rows_survive_the_wire(ages):
    blobs = [pack(ITEM_STATS, np.arange(16), NOW - age, run=7) if isinstance(age, float) else age for age in ages]
    read = unpack_many(ITEM_STATS, blobs, NOW)
    got = rows_of(packed(ITEM_STATS, read))
    for mine, theirs in zip(_arrays(read), _arrays(got), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_row_of_nan_counts_as_missing_and_serves_the_default():
    values = np.ones(16)
    values[3] = np.nan
    read = unpack_many(ITEM_STATS, [pack(ITEM_STATS, values, NOW, run=1)], NOW)
    assert read.status[0] == Status.MISSING
    assert (read.values == ITEM_STATS.default_row).all()


def test_rows_of_the_wrong_size_are_refused():
    packed = SimpleNamespace(
        view="item_stats", n_columns=16, values=b"1234", event_ts=bytes(8), status=bytes(1), writer_run=bytes(8)
    )
    with pytest.raises(SandboxError, match="STORE-003"):
        rows_of(packed)


def _arrays(read: Rows):
    return read.values, read.event_ts, read.status, read.run
