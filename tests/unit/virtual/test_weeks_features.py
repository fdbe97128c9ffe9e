"""The batch features of the weeks: events in arrays count as they do one by one, late ones when they come."""

from __future__ import annotations

import tracemalloc
from dataclasses import fields

import numpy as np

from sandbox.base.features import ITEM_STATS, USER_PROFILE
from sandbox.pipeline.events import Log
from sandbox.pipeline.live_features import LiveFeatures
from sandbox.virtual.weeks.records import Record, log_rows
from sandbox.virtual.weeks.served import Served
from services.events.core import Entry
from tests.services.harness import N_ITEMS, N_USERS, WORLD_START, catalogue

KINDS = ("impressions", "click", "dwell", "like", "hide", "conversion")
HOUR = 3_600.0


def live(rng) -> LiveFeatures:
    profile = rng.random((N_USERS, len(USER_PROFILE.columns))).astype(np.float32) / 50
    stats = rng.random((N_ITEMS, len(ITEM_STATS.columns))).astype(np.float32) / 50
    known = np.flatnonzero(catalogue().user_personalised)
    return LiveFeatures(catalogue(), known, profile[known], stats, WORLD_START)


def served(**columns) -> Served:
    """One request of user 1 at the start of the world, slots (4, 6), item 4 clicked 2 s later."""
    none = np.full((1, 2), np.nan)
    row = {
        "ts": np.array([WORLD_START]), "user": np.array([1]), "session": np.array([7]),
        "depth": np.array([1]), "arm": np.array([0]), "satisfaction": np.array([0.5]),
        "left": np.array([True]), "gap_s": np.array([HOUR]), "lost": np.array([0.2]),
        "item": np.array([[4, 6]]), "randomised": np.zeros((1, 2), bool),
        "click_ts": np.array([[WORLD_START + 2, np.nan]]),
        "dwell_s": np.array([[40.0, np.nan]], np.float32), "liked": np.zeros((1, 2), bool),
        "hidden": np.array([[False, True]]), "converted_ts": none, "revenue": np.zeros((1, 2), np.float32),
    }  # fmt: skip
    return Served(**{**row, **columns})


def test_many_events_count_as_they_do_one_by_one():
    rng = np.random.default_rng(3)
    one_by_one, at_once = live(np.random.default_rng(1)), live(np.random.default_rng(1))
    for kind in KINDS:
        n = 300
        user, item = rng.integers(0, N_USERS, n), rng.integers(0, N_ITEMS, n)
        ts = np.sort(WORLD_START + rng.random(n) * 30 * HOUR)
        value = rng.random(n) * 60
        one_by_one.add(
            Entry(kind, int(u), 1, float(t), (int(i),), float(v))
            for u, i, t, v in zip(user, item, ts, value, strict=True)
        )
        at_once.add_many(kind, user, item, ts, value)

    now = WORLD_START + 30 * HOUR
    np.testing.assert_allclose(at_once.profile(now), one_by_one.profile(now), rtol=1e-6)
    np.testing.assert_allclose(at_once.stats(now), one_by_one.stats(now), rtol=1e-6)
    assert at_once.newest_event_ts == one_by_one.newest_event_ts
    assert at_once.item_last_ts.tolist() == one_by_one.item_last_ts.tolist()


def test_an_outcome_is_known_when_it_comes_and_once():
    late = served(converted_ts=np.array([[WORLD_START + 5 * HOUR, np.nan]]))
    record = Record(log_rows(served(), 1).take(slice(0, 0)))
    nothing = Served.none(2)

    first = record.events(late, WORLD_START + HOUR)
    before = record.events(nothing, WORLD_START + 5 * HOUR)
    after = record.events(nothing, WORLD_START + 6 * HOUR)

    assert {kind: len(events.ts) for kind, events in first.items()} == {
        "impressions": 2, "click": 1, "dwell": 1, "like": 0, "hide": 1, "conversion": 0,
    }  # fmt: skip
    assert len(before["conversion"].ts) == 0
    assert after["conversion"].item.tolist() == [4]


def test_the_log_goes_on_where_the_history_ends():
    history = log_rows(served(ts=np.array([WORLD_START - HOUR])), first_request=41)
    record = Record(history)

    record.close_day(served(), WORLD_START + 24 * HOUR)

    log: Log = record.log
    assert log.request.tolist() == [41, 41, 42, 42]
    assert log.clicked.tolist() == [True, False, True, False]
    assert not log.before(WORLD_START + 1).clicked[2]  # not known yet


def test_what_is_older_than_anybody_looks_is_let_go():
    old = log_rows(served(ts=np.array([WORLD_START - 60 * 24 * HOUR])), first_request=41)
    record = Record(old)

    record.close_day(served(), WORLD_START + 24 * HOUR)

    assert record.log.ts.tolist() == [WORLD_START, WORLD_START]


def test_the_log_is_that_of_all_days_however_many():
    record = Record(log_rows(served(ts=np.array([WORLD_START - HOUR])), first_request=0))
    starts = WORLD_START + 24 * HOUR * np.arange(60)

    logs = []
    for start in starts.tolist():
        record.close_day(served(ts=np.array([start])), start + 24 * HOUR)
        logs.append(record.log)

    assert logs[20].ts[::2].tolist() == [WORLD_START - HOUR, *starts[:21]]
    assert logs[-1].ts[::2].tolist() == starts[-42:].tolist()
    assert logs[-1].request[1::2].tolist() == list(range(19, 61))
    assert logs[-1].item.tolist() == [4, 6] * 42


def test_room_for_more_days_is_made_without_the_log_being_there_twice():
    n = 50_000
    ts = WORLD_START - 24 * HOUR + np.arange(n) / n * HOUR
    tracemalloc.start()
    try:
        record = Record(log_rows(served().take(np.zeros(n, np.int64)), 0).take(slice(0, n)))
        record.log.ts[:] = ts
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        record.close_day(served(), WORLD_START + 24 * HOUR)
        more = tracemalloc.get_traced_memory()[1] - held
    finally:
        tracemalloc.stop()

    size = sum(getattr(record.log, f.name).nbytes for f in fields(Log))
    assert len(record.log) == n + 2
    assert more < size / 5
