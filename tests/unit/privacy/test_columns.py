"""What in a file is about a person, by the names in it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.privacy.columns import Who, finder, held, parts_of, user_of_key, without
from sandbox.telemetry.columns import arrow_schema

WHO = Who(np.array([3, 5]), 10, pa.array(["r1"]))


def hits(**columns) -> list[bool]:
    table = pa.table(columns)
    find = finder(table.schema)
    assert find is not None
    return find(table, WHO).to_pylist()


def test_rows_of_people_are_found_by_number_entity_key_and_request():
    assert hits(user_id=[3, 4, None], request_id=["r1", "r1", "r1"]) == [True, False, False]
    assert hits(entity=["user", "item", "user", None], entity_id=["5", "5", "4", "5"]) == [True, False, False, False]
    assert hits(command=["GET"] * 3, key=["f:user_seen:{3}", "f:item_stats:3", None]) == [True, False, False]
    assert hits(trace_id=["r1", "r2", None], dur_ms=[1.0, 1.0, 1.0]) == [True, False, False]
    assert finder(pa.schema({"item_id": pa.int64(), "key": pa.string()})) is None


def test_every_table_of_the_lake_that_names_users_or_requests_is_about_people():
    telling = {"user_id", "entity_id", "request_id", "trace_id"}
    about = {name for name in TABLES if finder(arrow_schema(name)) is not None}
    assert about == {name for name, t in TABLES.items() if telling & set(t.names)} | {"redis_slowlog"}


@pytest.mark.parametrize(
    ("key", "user"), [(b"f:user_profile:{17}", 17), ("visit:{4}", 4), ("e:{events}:x", None), (None, None)]
)
def test_a_key_names_the_user_in_its_tag(key, user):
    assert user_of_key(key) == user


def test_arrays_lose_rows_places_and_entries_and_keep_the_rest_in_order():
    arrays = {
        "user_region": np.arange(1, 11), "user_intent": np.full((10, 4), 0.25) + np.eye(10, 4) * 0,
        "follows_indptr": np.arange(11) * 2, "follows_creator": np.arange(20), "item_stats": np.ones((10, 3)),
    }  # fmt: skip
    parts = parts_of({n: a.shape for n, a in arrays.items()}, 10)
    assert held(arrays, parts, WHO.users) == 2 + 4  # equal shares say nothing of anybody
    left = without(arrays, parts, WHO.users)
    assert held(left, parts, WHO.users) == 0
    assert left["user_region"].tolist() == [1, 2, 3, 0, 5, 0, 7, 8, 9, 10]
    assert left["follows_creator"].tolist() == [i for i in range(20) if i // 2 not in (3, 5)]
    assert left["follows_indptr"][-1] == 16
    assert np.array_equal(left["item_stats"], arrays["item_stats"])


def test_rows_beside_two_arrays_of_users_go_with_their_own():
    arrays = {
        "user_id": np.array([1, 3]), "user_profile": np.array([[1.0], [3.0]]), "stream_user_id": np.array([3, 4]),
        "stream_ts": np.array([30.0, 40.0]), "user_seen": np.array([[3], [4]]), "item_stats": np.ones((2, 1)),
    }  # fmt: skip
    left = without(arrays, parts_of({n: a.shape for n, a in arrays.items()}, 10), WHO.users)
    assert (left["user_profile"].tolist(), left["stream_ts"].tolist(), left["user_seen"].tolist()) == (
        [[1.0]],
        [40.0],
        [[4]],
    )
    assert len(left["item_stats"]) == 2


def test_rows_that_could_be_of_either_array_of_users_are_refused():
    with pytest.raises(SandboxError, match="WORLD-003"):
        parts_of({"a_user_id": (2,), "b_user_id": (2,), "rows": (2,)}, 10)
