"""The features service on a real Redis: one round trip, ages, and a store that goes away."""

from __future__ import annotations

import time

import numpy as np
import pytest
import redis
from grpc import aio

from sandbox.base.config import Config, Edge, FeaturesConfig, RedisConfig
from sandbox.base.errors import SandboxError
from sandbox.base.features import ITEM_STATS, USER_PROFILE, Status, key, pack
from services.features.core import rows_of
from services.features.server import REGISTRATION
from services.proto.recsys.v1 import admin_pb2, admin_pb2_grpc, features_pb2, features_pb2_grpc
from services.skeleton.context import CURRENT, Context
from services.skeleton.feature_store import RedisFeatures
from services.skeleton.host import Host
from services.skeleton.replica import hold
from services.skeleton.store import Store
from tests.services.harness import WORLD_START, make_run, redis_at, rows, serving

EDGE = Edge(deadline_ms=1_000, attempts=1)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def caller(run, **context):
    CURRENT.set(Context("ab" * 16, "1" * 16, None, "test", **context))
    return Host("ranking", run, "ranking-0").callee("features", features_pb2_grpc.FeaturesStub)


def items(*ids, view="item_stats"):
    return features_pb2.GetItemsRequest(view=view, item_ids=np.array(ids, "<i8").tobytes())


def fill(run):
    with redis.Redis(unix_socket_path=run.redis) as store:
        store.set(key(ITEM_STATS, 1), pack(ITEM_STATS, np.full(16, 0.5), WORLD_START, run=9))
        old = WORLD_START - 4 * 86_400
        store.set(key(ITEM_STATS, 2), pack(ITEM_STATS, np.full(16, 0.7), old, run=9))
        store.set(key(USER_PROFILE, 3), pack(USER_PROFILE, np.ones(36), WORLD_START, run=9))


async def test_rows_come_in_order_with_their_status(run):
    with redis_at(run):
        fill(run)
        async with serving(run, REGISTRATION) as hosts:
            callee = caller(run)
            got = rows_of((await callee.call("GetItems", items(2, 1, 7, 1), EDGE)).rows)
            await callee.close()
            (read,) = rows(hosts["features"], "feature_reads")

    assert got.status.tolist() == [Status.EXPIRED, Status.PRESENT, Status.MISSING, Status.PRESENT]
    assert got.values[1].tolist() == [0.5] * 16
    assert got.values[0].tolist() == [0.0] * 16
    assert read[2:7] == ("ranking", "item_stats", 4, 1, 1)
    assert read[8] > 4 * 86_400


async def test_rows_come_from_a_replica_that_is_held_until_reads_are_told_to_go_elsewhere(run):
    config = Config(features=FeaturesConfig(reads="replica"), redis=RedisConfig(replica=True))
    config.save(run.path)
    asked = items(1, 7)
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        fill(run)
        async with serving(run, REGISTRATION):
            callee, writer = caller(run), RedisFeatures(Store(run.redis), has_replica=True)
            before = rows_of((await callee.call("GetItems", asked, EDGE)).rows)
            store.execute_command(*hold(600_000))
            await writer.write(
                ITEM_STATS, np.array([1, 7]), np.full((2, 16), 0.9, np.float32), np.full(2, WORLD_START), 10
            )
            held = rows_of((await callee.call("GetItems", asked, EDGE)).rows)
            config.features.reads = "primary"
            config.save(run.path)
            async with aio.insecure_channel(run.addresses["features"]) as channel:
                await admin_pb2_grpc.AdminStub(channel).Reload(admin_pb2.ReloadRequest())
            after = rows_of((await callee.call("GetItems", asked, EDGE)).rows)
            await callee.close()
            await writer.close()

    assert before.status.tolist() == held.status.tolist() == [Status.PRESENT, Status.MISSING]
    assert (held.run.tolist(), after.run.tolist()) == ([9, 0], [10, 10])


async def test_a_client_that_reads_two_at_a_time_gets_the_same_rows_in_more_round_trips(run):
    Config(features=FeaturesConfig(fetch_batch=2)).save(run.path)
    with redis_at(run):
        fill(run)
        async with serving(run, REGISTRATION) as hosts:
            callee = caller(run)
            got = rows_of((await callee.call("GetItems", items(2, 1, 7, 1, 1), EDGE)).rows)
            await callee.close()
            keys = [row[13] for row in rows(hosts["features"], "spans") if row[7] == "store"]

    assert got.status.tolist()[:3] == [Status.EXPIRED, Status.PRESENT, Status.MISSING]
    assert keys == [2, 2, 1]


async def test_a_users_views_come_in_one_round_trip(run):
    with redis_at(run):
        fill(run)
        async with serving(run, REGISTRATION) as hosts:
            callee = caller(run)
            request = features_pb2.GetUserRequest(user_id=3, views=["user_seen", "user_profile"])
            seen, profile = map(rows_of, (await callee.call("GetUser", request, EDGE)).rows)
            await callee.close()
            stores = [row for row in rows(hosts["features"], "spans") if row[7] == "store"]

    assert seen.status[0] == Status.MISSING
    assert (seen.values == -1).all()
    assert profile.status[0] == Status.PRESENT
    assert len(stores) == 1
    assert stores[0][13] == 2  # keys asked for


async def test_a_sampled_request_logs_what_it_was_served(run):
    with redis_at(run):
        fill(run)
        async with serving(run, REGISTRATION) as hosts:
            callee = caller(run, sampled=True)
            await callee.call("GetItems", items(1, 7), EDGE)
            await callee.close()
            served = rows(hosts["features"], "served_features")

    assert len(served) == 2 * 16
    assert served[0][1:7] == ("ab" * 16, "item", "1", "item_stats", "impressions_log", 0.5)
    assert served[16][7:] == (None, "MISSING", "0")


@pytest.mark.parametrize(
    ("op", "request_", "code"),
    [
        ("GetItems", items(1, view="nonsense"), "STORE-002"),
        ("GetItems", items(1, view="user_profile"), "STORE-002"),
        ("GetItems", items(*range(1001)), "WIRE-002"),
        ("GetItems", features_pb2.GetItemsRequest(view="item_stats", item_ids=b"xyz"), "WIRE-001"),
        ("GetUser", features_pb2.GetUserRequest(user_id=-1, views=["user_seen"]), "WIRE-002"),
        ("GetUser", features_pb2.GetUserRequest(user_id=1), "WIRE-002"),
        ("GetUser", features_pb2.GetUserRequest(user_id=1, views=["item_stats"]), "STORE-002"),
    ],
)
async def test_bad_requests_are_refused_by_code(run, op, request_, code):
    with redis_at(run):
        async with serving(run, REGISTRATION):
            callee = caller(run)
            with pytest.raises(SandboxError) as caught:
                await callee.call(op, request_, EDGE)
            await callee.close()
    assert caught.value.kind.code == code


async def test_a_dead_store_is_an_error_at_once_and_comes_back(run):
    async with serving(run, REGISTRATION):
        callee = caller(run)
        with redis_at(run):
            fill(run)
            await callee.call("GetItems", items(1), EDGE)
        began = time.monotonic()
        with pytest.raises(SandboxError) as caught:
            await callee.call("GetItems", items(1), EDGE)
        assert time.monotonic() - began < 0.5
        with redis_at(run):
            fill(run)
            again = await callee.call("GetItems", items(1), EDGE)
        await callee.close()
    assert caught.value.kind.code == "STORE-001"
    assert rows_of(again.rows).status.tolist() == [Status.PRESENT]


async def test_a_reload_changes_the_maximum_age(run):
    with redis_at(run):
        fill(run)
        async with serving(run, REGISTRATION):
            config = Config()
            config.features.max_age_s = {"item_stats": 10 * 86_400.0}
            config.save(run.path)
            async with aio.insecure_channel(run.addresses["features"]) as channel:
                await admin_pb2_grpc.AdminStub(channel).Reload(admin_pb2.ReloadRequest())
            callee = caller(run)
            got = rows_of((await callee.call("GetItems", items(2), EDGE)).rows)
            await callee.close()
    assert got.status.tolist() == [Status.PRESENT]


class Blanking:
    """A wrapper that serves every row as if it were missing."""

    async def around(self, call, proceed):
        found = await proceed(call)
        found.status[:] = Status.MISSING
        return found


async def test_a_wrapper_on_the_read_seam_changes_what_is_served_and_logged(run):
    with redis_at(run):
        fill(run)
        async with serving(run, REGISTRATION) as hosts:
            wrapper = Blanking()
            hosts["features"].seams.read.put(wrapper)
            callee = caller(run)
            got = rows_of((await callee.call("GetItems", items(1), EDGE)).rows)
            hosts["features"].seams.read.take_off(wrapper)
            after = rows_of((await callee.call("GetItems", items(1), EDGE)).rows)
            await callee.close()
            first, second = rows(hosts["features"], "feature_reads")
    assert got.status.tolist() == [Status.MISSING]
    assert after.status.tolist() == [Status.PRESENT]
    assert (first[5], second[5]) == (1, 0)
