import asyncio

import numpy as np
import pytest

from faults.arming import Spec, wrapper_for
from sandbox.base.clock import VirtualClock
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, USER_SEEN, Rows, Status
from services.features.fetch import fetch_call, wanted_by
from services.skeleton.seams import Seams


def stored(view, ids):
    """Rows that hold the id of their entity in every column."""
    values = np.repeat(np.asarray(ids, np.float32)[:, None], len(view.columns), 1)
    n = len(ids)
    return Rows(values, np.full(n, 900.0), np.full(n, Status.PRESENT, np.uint8), np.ones(n, np.uint64))


async def store(call):
    return {view.name: stored(view, ids) for view, ids in wanted_by(call)}


def owners(armed, call):
    """Whose rows come back, by view, and that all of them look right."""
    answer = asyncio.run(armed.seam.run(call, store))
    assert all((rows.status == Status.PRESENT).all() for rows in answer.values())
    return {name: rows.values[:, 0].astype(int).tolist() for name, rows in answer.items()}


def of_user(user):
    return fetch_call([(USER_PROFILE, np.array([user])), (USER_SEEN, np.array([user]))], "GetUser", user, 1, 1, 0)


def of_items(*items):
    return fetch_call([(ITEM_STATS, np.array(items))], "GetItems", 7, 1, 1, 0)


def test_users_whose_keys_begin_alike_get_one_profile(bench):
    armed = bench(fault="wrong-entity-features", params={"digits": 2})

    assert owners(armed, of_user(1234)) == {"user_profile": [12], "user_seen": [1234]}
    assert owners(armed, of_user(1299)) == {"user_profile": [12], "user_seen": [1299]}


def test_a_batch_is_read_some_places_off(bench):
    armed = bench(fault="wrong-entity-features", params={"view": "item_stats", "mode": "offset_batch", "offset": 1})

    assert owners(armed, of_items(5, 6, 7, 8)) == {"item_stats": [6, 7, 8, 5]}


def test_a_view_that_is_not_meant_and_a_user_out_of_scope_keep_their_rows(bench):
    armed = bench(fault="wrong-entity-features", scope={"user_buckets": [0, 50]})

    assert owners(armed, of_items(12, 13)) == {"item_stats": [12, 13]}
    assert owners(armed, of_user(1299))["user_profile"] == [1299]
    assert owners(armed, of_user(1249))["user_profile"] == [124]


def test_unwrapped_the_next_read_is_right(bench):
    armed = bench(fault="wrong-entity-features")
    assert owners(armed, of_user(1234))["user_profile"] == [123]
    armed.seam.take_off(armed.armed)

    assert owners(armed, of_user(1234))["user_profile"] == [1234]


@pytest.mark.parametrize(
    "params", [{"view": "user_profile", "mode": "offset_batch"}, {"view": "user_mood"}], ids=["one-row", "no-view"]
)
def test_knobs_that_could_mix_nothing_up_are_refused(params):
    clock = VirtualClock()
    spec = Spec(fault="wrong-entity-features").model_dump() | {"params": params}
    with pytest.raises(SandboxError) as caught:
        wrapper_for(spec, Seams(clock, clock), "features")

    assert caught.value.kind.code == "FLT-002"
