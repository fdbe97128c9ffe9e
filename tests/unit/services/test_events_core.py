"""What users did becomes rows: checks on the way in, order, limits, and harmless redelivery."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.base.features import N_RECENT, N_SEEN, N_TOPICS, USER_SEEN, USER_SESSION
from services.events.core import IMPRESSIONS, Entry, UserState, apply_events, check_feedback, check_impressions

NOW = 1_772_000_000.0
N_USERS, N_ITEMS = 10, 50
TOPICS = np.eye(N_TOPICS, dtype=np.float32)[np.arange(N_ITEMS) % N_TOPICS]


def feedback(**changes):
    event = {
        "event_id": "e1", "event_ts": NOW - 5, "request_id": "r1", "session_id": "7", "user_id": 3,
        "item_id": 4, "kind": "click", "value": 0.0,
    }  # fmt: skip
    return SimpleNamespace(**(event | changes))


def click(item, ts, user=0, session=1):
    return Entry("click", user, session, ts, (item,))


def shown(items, ts, user=0, session=1):
    return Entry(IMPRESSIONS, user, session, ts, tuple(items))


def after(entries, state=None):
    states = {0: state or UserState()}
    apply_events(states, entries, N_ITEMS)
    return states[0]


def test_a_good_event_becomes_an_entry_and_time_zero_means_now():
    entries = check_feedback([feedback(), feedback(event_ts=0.0)], NOW, N_USERS, N_ITEMS)
    assert entries[0] == Entry("click", 3, 7, NOW - 5, (4,), 1.0, "e1", "r1")
    assert entries[1].ts == NOW


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"kind": "stare"}, "WIRE-002", "kind"),
        ({"event_id": ""}, "WIRE-002", "event_id"),
        ({"event_id": "x" * 65}, "WIRE-002", "event_id"),
        ({"request_id": "x" * 65}, "WIRE-002", "request_id"),
        ({"user_id": -1}, "WIRE-003", "user_id"),
        ({"user_id": N_USERS}, "WIRE-003", "user_id"),
        ({"item_id": N_ITEMS}, "WIRE-003", "item_id"),
        ({"item_id": -1}, "WIRE-003", "item_id"),
        ({"event_ts": NOW + 3_601}, "WIRE-002", "event_ts"),
        ({"event_ts": math.nan}, "WIRE-002", "event_ts"),
        ({"event_ts": -1.0}, "WIRE-002", "event_ts"),
        ({"kind": "dwell", "value": math.nan}, "WIRE-002", "value"),
        ({"kind": "dwell", "value": 86_401.0}, "WIRE-002", "value"),
        ({"kind": "conversion", "value": math.inf}, "WIRE-002", "value"),
        ({"session_id": "abc"}, "WIRE-002", "session_id"),
        ({"session_id": str(2**63)}, "WIRE-002", "session_id"),
    ],
)
def test_a_bad_event_is_named_with_its_index_and_field(changes, code, field):
    with pytest.raises(SandboxError) as caught:
        check_feedback([feedback(), feedback(**changes)], NOW, N_USERS, N_ITEMS)
    assert caught.value.kind.code == code
    assert caught.value.where == f"events[1].{field}"


def test_too_many_events_or_items_are_refused():
    with pytest.raises(SandboxError, match="at most 500"):
        check_feedback([feedback()] * 501, NOW, N_USERS, N_ITEMS)
    with pytest.raises(SandboxError, match="at most 100"):
        check_impressions(1, [0] * 101, NOW, "", "r", NOW, N_USERS, N_ITEMS)
    with pytest.raises(SandboxError, match="no such entity"):
        check_impressions(1, [N_ITEMS], NOW, "", "r", NOW, N_USERS, N_ITEMS)


def test_leaving_needs_no_item():
    (entry,) = check_feedback([feedback(kind="leave", item_id=-1)], NOW, N_USERS, N_ITEMS)
    assert entry.items == (-1,)
    assert after([entry._replace(user=0)]) == UserState()


def test_an_entry_survives_the_stream():
    entry = Entry("dwell", 3, -1, NOW, (4,), 31.5, "e", "r")
    assert Entry.decode(entry.encode()) == entry


@given(st.binary(max_size=60))
def test_bytes_that_are_no_entry_stop_nothing(packed):
    entry = Entry.decode(packed)
    assert entry is None or isinstance(entry, Entry)


def test_recent_clicks_are_newest_first_and_bounded():
    state = after([click(i % N_ITEMS, NOW + i) for i in range(30)])
    assert state.recent == [29 - i for i in range(N_RECENT)]
    row = state.session_row(TOPICS)
    assert row[3:5].tolist() == [29, 28]
    assert math.isclose(row[-N_TOPICS:].sum(), 1.0, rel_tol=1e-6)
    assert row[2] == np.float32((NOW + 29) / 3600)
    assert state.ts == NOW + 29


def test_the_seen_list_keeps_the_latest_slate_in_front():
    state = after([shown([1, 2, 3], NOW), shown([4, 5], NOW + 1)])
    assert state.seen == [5, 4, 3, 2, 1]
    assert state.impressions == 5
    state = after([shown(range(40), NOW + i) for i in range(8)])
    assert len(state.seen) == N_SEEN


def test_another_visit_begins_the_counters_anew_and_keeps_the_clicks():
    state = after([shown([1, 2], NOW), click(1, NOW + 1), shown([3], NOW + 90_000, session=2)])
    assert (state.impressions, state.clicks, state.recent) == (1, 0, [1])


def test_users_do_not_touch_each_other():
    states = {0: UserState(), 1: UserState()}
    changed = apply_events(states, [click(1, NOW), shown([2], NOW, user=1)], N_ITEMS)
    assert changed == ({0, 1}, {1})
    assert states[0].seen == []
    assert states[1].recent == []


entries = st.lists(
    st.one_of(
        st.builds(click, st.integers(0, N_ITEMS - 1), st.floats(NOW, NOW + 9_000), session=st.integers(1, 3)),
        st.builds(
            shown,
            st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=10, unique=True),
            st.floats(NOW, NOW + 9_000),
            session=st.just(1),
        ),
    ),
    max_size=18,
)


@given(entries)
def test_delivering_a_batch_again_changes_nothing(batch):
    once = after(batch)
    lists = (list(once.recent), list(once.seen), once.impressions, once.clicks, once.ts)
    twice = after(batch, once)
    assert (twice.recent, twice.seen, twice.impressions, twice.clicks, twice.ts) == lists


@given(entries, st.integers(0, 18))
def test_how_the_stream_is_cut_into_batches_does_not_matter(batch, cut):
    whole = after(batch)
    first = after(batch[:cut])
    # Between batches the state goes through the store's float32 rows.
    stored = UserState.of_rows(first.session, first.session_row(TOPICS), first.ts, first.seen_row(), first.seen_ts)
    parts = after(batch[cut:], stored)
    assert (parts.recent, parts.seen, parts.impressions, parts.clicks) == (
        whole.recent,
        whole.seen,
        whole.impressions,
        whole.clicks,
    )
    assert np.allclose(parts.session_row(TOPICS), whole.session_row(TOPICS), atol=0.1)


@given(entries)
def test_rows_fit_their_views_and_are_finite(batch):
    state = after(batch)
    for row, view in ((state.session_row(TOPICS), USER_SESSION), (state.seen_row(), USER_SEEN)):
        assert row.shape == (len(view.columns),)
        assert np.isfinite(row).all()
