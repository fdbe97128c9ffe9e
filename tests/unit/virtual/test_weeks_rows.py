"""Many users' streamed rows at once are what the stream processor makes of their events one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.features import N_SEEN, N_TOPICS
from sandbox.virtual.weeks.rows import StreamedRows
from services.events.core import IMPRESSIONS, Entry, UserState, apply_events

N_USERS, N_ITEMS, K = 3, 12, 4
TOPICS = np.random.default_rng(1).random((N_ITEMS, N_TOPICS)).astype(np.float32)


@st.composite
def slates(draw):
    """(user, session, ts, items, clicked positions), clocks that may run backwards included."""
    items = draw(st.lists(st.integers(0, N_ITEMS - 1), max_size=K, unique=True))
    clicked = [draw(st.booleans()) for _ in items]
    user, session = draw(st.integers(0, N_USERS - 1)), draw(st.integers(1, 3))
    return user, session, float(draw(st.integers(1, 40))), items, clicked


@settings(deadline=None, max_examples=200)
@given(st.lists(slates(), max_size=30))
def test_arrays_and_single_users_come_to_the_same_rows(history):
    many = StreamedRows.none(N_USERS)
    states = {user: UserState() for user in range(N_USERS)}

    for user, session, ts, items, clicked in history:
        item, click_ts = np.full((1, K), -1), np.full((1, K), np.nan)
        item[0, : len(items)] = items
        click_ts[0, : len(items)] = np.where(clicked, ts + 1 + np.arange(len(items)), np.nan)
        many.apply(np.array([user]), np.array([session]), np.array([ts]), item, click_ts)
        entries = [Entry(IMPRESSIONS, user, session, ts, tuple(items))]
        entries += [Entry("click", user, session, ts + 1 + i, (items[i],)) for i, hit in enumerate(clicked) if hit]
        apply_events(states, entries, N_ITEMS)

    rows = many.session_rows(np.arange(N_USERS), TOPICS)
    for user, state in states.items():
        np.testing.assert_array_equal(rows[user], state.session_row(TOPICS))
        np.testing.assert_array_equal(many.seen[user], state.seen_row().astype(np.int64))
        assert (many.ts[user], many.seen_ts[user]) == (state.ts, state.seen_ts)


def test_a_row_past_its_age_is_not_served():
    rows = StreamedRows.none(1)
    one = np.array([0])
    rows.apply(one, np.array([1]), np.array([1000.0]), np.array([[3, 5]]), np.array([[1002.0, np.nan]]))
    profile = np.zeros((1, 36), np.float32)

    (soon,) = rows.served(one, np.array([1010.0]), profile, TOPICS)
    (next_day,) = rows.served(one, np.array([1000.0 + 86_400]), profile, TOPICS)
    (next_month,) = rows.served(one, np.array([1000.0 + 30 * 86_400]), profile, TOPICS)

    assert (soon.recent.tolist(), soon.seen.tolist()) == ([3], [5, 3])
    assert (next_day.recent.tolist(), next_day.seen.tolist()) == ([], [5, 3])
    assert (next_month.recent.tolist(), next_month.seen.tolist()) == ([], [])


def test_what_is_held_back_leaves_no_trace_in_rows_of_the_past():
    rows, seen = StreamedRows.none(1), np.full((1, N_SEEN), -1.0, np.float32)
    rows.apply(np.array([0]), np.array([1]), np.array([9.0]), np.array([[3, 5]]), np.array([[10.0, 11.0]]))
    seen[0, :3] = [5, 3, 7]

    rows.restore(
        np.array([0]), rows.session_rows(np.array([0]), TOPICS), np.array([11.0]), seen, forgotten=np.array([3])
    )

    assert rows.recent[0, :2].tolist() == [5, -1]
    assert rows.seen[0, :3].tolist() == [5, 7, -1]
