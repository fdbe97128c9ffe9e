import asyncio

import numpy as np
import pytest
from pydantic import ValidationError

from faults.catalogue import fault_named
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, Rows, Status
from services.features.fetch import fetch_call, wanted_by

ASKED = []


async def store(call):
    """Rows of ones; notes what it was asked for."""
    wanted = wanted_by(call)
    ASKED.append([view.name for view, _ in wanted])
    return {
        view.name: Rows(
            np.ones((len(ids), len(view.columns)), np.float32), np.full(len(ids), 900.0),
            np.full(len(ids), Status.PRESENT, np.uint8), np.ones(len(ids), np.uint64),
        )
        for view, ids in wanted
    }  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_asked_yet():
    ASKED.clear()


def read(armed, call):
    answer = asyncio.run(armed.seam.run(call, store))
    assert all((rows.status == Status.PRESENT).all() for rows in answer.values()), "nobody is told"
    return {name: sorted(set(rows.values.ravel().tolist())) for name, rows in answer.items()}


def of_user(user, region=0):
    return fetch_call([(USER_PROFILE, np.array([user])), (USER_SEEN, np.array([user]))], "GetUser", user, 1, 1, region)


def of_items(*items, region=0, user=7):
    return fetch_call([(ITEM_STATS, np.array(items))], "GetItems", user, 1, 1, region)


def test_what_failed_comes_back_as_one_value_that_looks_read(bench):
    armed = bench(fault="default-masks-error", params={"view": "item_stats", "value": 0.5})

    answer = asyncio.run(armed.seam.run(of_items(5, 6), store))["item_stats"]

    assert answer.values.shape == (2, len(ITEM_STATS.columns))
    assert set(answer.values.ravel().tolist()) == {0.5}
    assert answer.status.tolist() == [Status.PRESENT] * 2
    assert answer.event_ts.tolist() == [1000.0] * 2, "as of now"
    assert ASKED == [], "the store was not reached"


def test_other_views_of_the_same_read_are_read(bench):
    armed = bench(fault="default-masks-error", params={"view": "user_profile"})

    assert read(armed, of_user(3)) == {"user_profile": [0.0], "user_seen": [1.0]}
    assert ASKED == [["user_seen"]]


def test_users_out_of_scope_get_what_is_stored(bench):
    armed = bench(fault="default-masks-error", scope={"regions": ["EU"]})

    assert read(armed, of_items(5, region=0)) == {"item_stats": [0.0]}
    assert read(armed, of_items(5, region=3)) == {"item_stats": [1.0]}


def test_a_share_of_the_fetches_fails(bench):
    armed = bench(fault="default-masks-error", share=0.5)

    failed = [read(armed, of_items(5, user=user)) == {"item_stats": [0.0]} for user in range(60)]

    assert 15 < sum(failed) < 45


def test_unwrapped_the_next_read_is_right(bench):
    armed = bench(fault="default-masks-error")
    armed.seam.take_off(armed.armed)

    assert read(armed, of_items(5)) == {"item_stats": [1.0]}


def test_a_view_that_there_is_not_is_refused():
    with pytest.raises(ValidationError, match="there are"):
        fault_named("default-masks-error").Params(view="user_mood")
