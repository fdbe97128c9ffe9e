"""Offline features: counted by hand, and blind to the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SESSION
from sandbox.pipeline.events import Log, known_after, read_source
from sandbox.pipeline.features import Histories, snapshot
from sandbox.pipeline.training_set import examples_of, join, recent_of
from tests.unit.pipeline.two_tastes import END, START, USERS, catalogue

HOUR = 3_600.0


def log_of(rows: list[tuple[float, int, int, int, bool]]) -> Log:
    """(ts in hours, session, user, item, clicked); a click comes a minute after."""
    ts, session, user, item, clicked = (np.array(c) for c in zip(*rows, strict=True))
    ts = START + ts * HOUR
    n, nan = len(ts), np.full(len(ts), np.nan)
    click_ts = np.where(clicked, ts + 60, nan)
    return Log(
        ts=ts, request=np.arange(n), session=session, user=user.astype(np.int32), item=item.astype(np.int32),
        position=np.ones(n, np.int16), randomised=np.zeros(n, bool), clicked=clicked.astype(bool),
        click_ts=click_ts, dwell_s=np.where(clicked, 40.0, np.nan).astype(np.float32),
        liked=np.zeros(n, bool), hidden=np.zeros(n, bool), converted_ts=nan, value=np.ones(n, np.float32),
        known_s=known_after(ts, ts), click_known_s=known_after(ts, click_ts), dwell_known_s=known_after(ts, click_ts + 40),
        like_known_s=known_after(ts, nan), hide_known_s=known_after(ts, nan), conversion_known_s=known_after(ts, nan),
    )  # fmt: skip


def column(rows: np.ndarray, view: object, name: str) -> np.ndarray:
    return rows[:, view.columns.index(name)]  # type: ignore[attr-defined]


def test_a_click_counts_from_when_it_happened_not_from_when_its_item_was_shown() -> None:
    log = log_of([(0.0, 1, 3, 7, True)])

    before = snapshot(log, catalogue(), START + 30)
    after = snapshot(log, catalogue(), START + 61)

    assert column(before.stats, ITEM_STATS, "impressions_log")[7] == pytest.approx(np.log(2))
    assert column(before.stats, ITEM_STATS, "clicks_log")[7] == 0
    assert column(after.stats, ITEM_STATS, "clicks_log")[7] == pytest.approx(np.log(2))
    assert column(after.profile, USER_PROFILE, "topic_00")[3] == pytest.approx(1 / 3)  # 1 click, 2 of smoothing


def test_dwell_like_and_hide_are_not_known_before_they_happen() -> None:
    """Shown at 10, clicked at 11, left at 40, liked at 50, hidden at 60."""
    row = log_of([(0.0, 1, 3, 7, True)])
    at = START + np.array([10.0])
    log = replace(
        row, ts=at, click_ts=at + 1, click_known_s=known_after(at, at + 1), dwell_s=np.array([29.0], np.float32),
        dwell_known_s=known_after(at, at + 30), liked=np.array([True]), like_known_s=known_after(at, at + 40),
        hidden=np.array([True]), hide_known_s=known_after(at, at + 50),
    )  # fmt: skip

    early, late = log.before(START + 20), log.before(START + 61)

    assert (early.clicked[0], early.liked[0], early.hidden[0]) == (True, False, False)
    assert np.isnan(early.dwell_s[0])
    assert (late.dwell_s[0], late.liked[0], late.hidden[0]) == (29.0, True, True)
    for name in ("like_rate", "hide_rate", "dwell_mean_log"):
        known = column(snapshot(log, catalogue(), START + 20).stats, ITEM_STATS, name)[7]
        assert known == 0 < column(snapshot(log, catalogue(), START + 61).stats, ITEM_STATS, name)[7]


def test_what_comes_late_is_not_there_before_it_is_known() -> None:
    """Shown at 10 and known at 500; clicked in time, and the click known at 900."""
    log = log_of([(0.0, 1, 3, 7, True), (0.0, 1, 3, 8, True)])
    known, click_known = log.known_ts(None), log.known_ts("click")
    known[0], click_known[1] = START + 500, START + 900
    late = replace(log, known_s=known_after(log.ts, known), click_known_s=known_after(log.ts, click_known))

    assert late.before(START + 400).item.tolist() == [8]
    assert late.before(START + 800).clicked.tolist() == [True, False]
    assert late.before(START + 901).clicked.tolist() == [True, True]
    recent = Histories(late, catalogue()).recent(np.array([3, 3]), START + np.array([800.0, 901.0]))
    assert recent[:, :2].tolist() == [[7, -1], [8, 7]]


@given(st.lists(st.floats(0, 60 * 24 * HOUR), min_size=1, max_size=20))
def test_nothing_is_known_before_it_was_and_at_most_a_second_later(seconds: list[float]) -> None:
    ts = np.full(len(seconds), START)
    known = ts + np.array(seconds)

    told = ts + known_after(ts, known)

    assert (known <= told).all()
    assert (told - known < 1).all()
    assert np.isnan(known_after(ts, ts * np.nan)).all()


def test_a_row_of_the_same_moment_is_not_known_yet() -> None:
    log = log_of([(0.0, 1, 3, 7, False), (1.0, 1, 3, 8, False)])
    moment = START + HOUR

    shot = snapshot(log, catalogue(), moment)
    seen = Histories(log, catalogue()).seen(np.array([3]), np.array([moment]))

    assert column(shot.stats, ITEM_STATS, "impressions_log")[8] == 0
    assert seen[0, :2].tolist() == [7, -1]


def test_two_examples_of_one_user_in_one_second_are_two_rows(world: object) -> None:
    source = read_source(world)  # type: ignore[arg-type]
    examples = examples_of(source.log, END)
    slate = np.flatnonzero(source.log.request == source.log.request[0])

    joined = join(examples.take(slate), source.log, source.catalogue, seed=1)

    assert len(slate) == 5
    assert len(set(joined.examples.item.tolist())) == 5
    assert len(joined.x) == 5


def test_nothing_that_happens_later_changes_a_snapshot(world: object) -> None:
    log = read_source(world).log  # type: ignore[arg-type]
    moment = START + 3 * 86_400.0

    whole = snapshot(log, catalogue(), moment)
    cut = snapshot(log.before(moment), catalogue(), moment)

    np.testing.assert_array_equal(whole.profile, cut.profile)
    np.testing.assert_array_equal(whole.stats, cut.stats)


def test_recent_items_are_newest_first_and_strictly_before_the_moment() -> None:
    log = log_of([(0, 1, 3, 7, True), (1, 1, 3, 8, False), (2, 1, 3, 9, True), (3, 1, 4, 5, True)])
    histories = Histories(log, catalogue())

    at_click = histories.recent(np.array([3]), np.array([START + 2 * HOUR + 60]))
    later = histories.recent(np.array([3]), np.array([START + 2 * HOUR + 61]))

    assert at_click[0, :2].tolist() == [7, -1]
    assert later[0, :3].tolist() == [9, 7, -1]


def test_a_session_row_counts_the_visit_and_is_gone_after_its_maximum_age() -> None:
    log = log_of([(0, 1, 3, 7, True), (0.1, 2, 3, 8, True), (0.1, 2, 3, 9, False)])
    histories = Histories(log, catalogue())
    soon, late = START + 0.2 * HOUR, START + 0.1 * HOUR + 60 + USER_SESSION.max_age_s + 1

    rows = histories.session_rows(np.array([3, 3, 5]), np.array([soon, late, soon]))

    assert column(rows, USER_SESSION, "impressions_session_log")[0] == pytest.approx(np.log(3))
    assert column(rows, USER_SESSION, "clicks_session_log")[0] == pytest.approx(np.log(2))
    assert recent_of(rows)[0, :3].tolist() == [8, 7, -1]
    np.testing.assert_array_equal(rows[1], USER_SESSION.default_row)
    np.testing.assert_array_equal(rows[2], USER_SESSION.default_row)


def test_training_rows_do_not_see_their_own_outcome(world: object) -> None:
    source = read_source(world)  # type: ignore[arg-type]
    flipped = Log(**{**vars(source.log), "clicked": source.log.clicked.copy(), "click_ts": source.log.click_ts.copy()})
    last = len(source.log) - 1
    flipped.clicked[last] = ~flipped.clicked[last]
    flipped.click_ts[last] = source.log.ts[last] + 5 if flipped.clicked[last] else np.nan
    row = np.array([last])

    seen = join(examples_of(source.log, END).take(row), source.log, source.catalogue, seed=1)
    other = join(examples_of(flipped, END).take(row), flipped, source.catalogue, seed=1)

    np.testing.assert_array_equal(seen.x, other.x)
    assert seen.as_of[0] <= source.log.ts[last]


def test_users_without_consent_are_nobody(world: object) -> None:
    source = read_source(world)  # type: ignore[arg-type]

    joined = join(examples_of(source.log, END), source.log, source.catalogue, seed=1)

    silent = joined.examples.user >= USERS - 10
    assert (joined.user[silent] == -1).all()
    assert not joined.profile[silent].any()
    assert (joined.recent[silent] == -1).all()


def test_the_nights_own_snapshots_serve_where_they_are_there(world: object) -> None:
    source = read_source(world)  # type: ignore[arg-type]
    log, examples = source.log, examples_of(source.log, END)
    alone = join(examples, log, source.catalogue, seed=1)
    nights = np.unique(alone.as_of)
    # Each as it was taken in its night, when nothing of what came later was in the log.
    taken = {ts: snapshot(log.before(ts), source.catalogue, ts) for ts in nights[::2]}

    served = join(examples, log, source.catalogue, seed=1, taken=taken)

    assert len(nights) > 2
    for name in ("user", "profile", "recent", "x", "as_of"):
        np.testing.assert_array_equal(getattr(served, name), getattr(alone, name))
    other = {nights[1]: replace(taken[nights[0]], ts=nights[1])}
    assert (join(examples, log, source.catalogue, seed=1, taken=other).x != alone.x).any()
