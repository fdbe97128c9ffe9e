"""Rows that are worked out late are those that were worked out at every commit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.base.features import N_TOPICS, USER_PROFILE, USER_SEEN, USER_SESSION
from sandbox.virtual.machine.loop import Loop, Wall, World
from sandbox.virtual.processes.store import Store
from sandbox.virtual.processes.stream import Processor, Stream
from services.events.core import IMPRESSIONS, Entry
from services.gateway.stages import UserRows
from services.skeleton.seams import Seams

N_ITEMS, BEGAN = 40, 1.7e9


def catalogue() -> Any:
    topics = np.eye(N_TOPICS, dtype=np.float32)[np.arange(N_ITEMS) % N_TOPICS]
    return SimpleNamespace(n_users=3, n_items=N_ITEMS, item_topics=topics)


def processor() -> tuple[Processor, Store]:
    loop, store = Loop(), Store(catalogue())
    seams = Seams(World(loop, BEGAN, 60.0), Wall(loop))
    return Processor(loop, Stream(), store, catalogue(), seams, lambda: None, 60.0), store  # type: ignore[arg-type, return-value]


entries = st.builds(
    Entry,
    st.sampled_from(["click", IMPRESSIONS, "dwell"]),
    st.just(1),
    st.integers(-1, 2),
    st.floats(BEGAN, BEGAN + 9_000),
    st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=4).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(entries, min_size=1, max_size=4), min_size=1, max_size=6))
def test_reading_after_every_commit_and_once_in_the_end_finds_the_same(batches: list[list[Entry]]) -> None:
    (_, often), (_, once), (from_rows, anew) = processor(), processor(), processor()
    for batch in batches:
        for store in (often, once, anew):
            store.put_later(1, batch)
        often.streamed(USER_SESSION.name, 1)
        anew.streamed(USER_SESSION.name, 1)
        from_rows._states.clear()  # the numbers that it goes on from are read out of the rows
    for view in (USER_SESSION.name, USER_SEEN.name):
        one = often.streamed(view, 1)
        for other in (once.streamed(view, 1), anew.streamed(view, 1)):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert one.event_ts == other.event_ts
                assert one.values.tobytes() == other.values.tobytes()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(entries, max_size=4), st.one_of(st.none(), st.floats(BEGAN, BEGAN + 9_000)),
    st.floats(0.0, 3e6),
)  # fmt: skip
def test_what_is_known_of_a_user_is_the_same_with_and_without_rows_in_between(
    batch: list[Entry], profile_ts: float | None, later_s: float
) -> None:
    _, store = processor()
    now = BEGAN + 9_000 + later_s
    if batch:
        store.put_later(1, batch)
    if profile_ts is not None:
        row = USER_PROFILE.default_row + 2.5
        store.put(USER_PROFILE, np.array([1]), row, np.array([profile_ts]), 4)
    shown, unpacked = store.user_rows(1, now), UserRows.of_rows(*store.user(1, now), now)
    for name in ("profile", "session", "recent", "seen"):
        assert getattr(shown, name).tobytes() == getattr(unpacked, name).tobytes()
    for name in ("segment", "profile_age_s", "session_age_s"):
        assert getattr(shown, name) == getattr(unpacked, name)
