"""Erasing somebody from a store that is up, and writers that run on and do not bring the person back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import redis

from sandbox.base import tombstones
from sandbox.base.config import Edge
from sandbox.base.errors import SandboxError
from sandbox.base.features import USER_PROFILE, USER_SEEN, USER_SESSION, key, pack
from sandbox.privacy.columns import Who
from sandbox.privacy.redis_store import RedisStore
from sandbox.runtime.materialiser import Materialiser
from services.events.core import STREAM, Entry
from services.events.server import REGISTRATION as EVENTS
from services.proto.recsys.v1 import events_pb2_grpc, gateway_pb2
from services.skeleton.context import CURRENT, Context
from services.skeleton.host import Host
from services.skeleton.replica import older
from tests.services.harness import N_USERS, WORLD_START, make_run, redis_at, rows, serving

USER, OTHER = 3, 13
WHO = Who(np.array([USER]), N_USERS)


@pytest.fixture
def up(tmp_path: Path):
    run = make_run(tmp_path)
    (tmp_path / "world.json").write_text(json.dumps({"users": N_USERS}))
    with redis_at(run), redis.Redis(**run.redis_kwargs()) as store:
        for user in (USER, OTHER):
            for view in (USER_PROFILE, USER_SEEN):
                store.set(key(view, user), pack(view, np.ones(len(view.columns)), WORLD_START, 1))
            store.set(f"visit:{{{user}}}", b"7")
            store.set(older(key(USER_SESSION, user).encode()), b"left for a replica")
            store.xadd(STREAM, {"e": Entry("click", user, 1, WORLD_START, (4,), event_id=f"e{user}").encode()})
        yield run, store


def entomb(world: Path) -> None:
    tombstones.add(world, [(USER, "k")], erased_ts=0.0, receipt="rc-1")


def test_keys_and_entries_of_the_erased_go_and_those_of_others_stay(up):
    run, store = up
    place = RedisStore("redis", run)
    told = place.rows(WHO)
    assert {row["key"] for row in told if "key" in row} == {
        f"f:user_profile:{{{USER}}}",
        f"f:user_seen:{{{USER}}}",
        f"visit:{{{USER}}}",
        f"older:f:user_session:{{{USER}}}",
    }
    assert [row["event_id"] for row in told if "event_id" in row] == [f"e{USER}"]
    before = store.dbsize()
    assert (place.count(WHO), place.by_user(WHO)) == (5, {USER: 5})
    place.erase(WHO)
    assert place.count(WHO) == 0
    assert place.count(Who(np.array([OTHER]), N_USERS)) == 5
    assert store.dbsize() == before - 4


def test_a_store_that_is_away_says_so(tmp_path):
    run = make_run(tmp_path)
    with pytest.raises(SandboxError, match="STORE-001"):
        RedisStore("redis", run).count(WHO)


async def test_events_of_the_erased_are_not_taken_in(up, tmp_path):
    run, store = up
    entomb(tmp_path)
    before = store.xlen(STREAM)
    fields = {"event_ts": WORLD_START, "session_id": "7", "item_id": 4, "kind": "click"}
    feedback = [gateway_pb2.Feedback(event_id=f"n{user}", user_id=user, **fields) for user in (USER, OTHER)]
    async with serving(run, EVENTS) as hosts:
        CURRENT.set(Context("ab" * 16, "1" * 16, None, "test"))
        edge = Host("gateway", run, "gateway-0").callee("events", events_pb2_grpc.EventsStub)
        answer = await edge.call("Append", gateway_pb2.LogFeedbackRequest(events=feedback), Edge(deadline_ms=8_000))
        assert [row[5] for row in rows(hosts["events"], "outcomes")] == [OTHER]
    assert (answer.accepted, answer.duplicate) == (1, 1)
    assert store.xlen(STREAM) == before + 1


async def test_the_batch_job_does_not_write_again_what_it_loaded_before(up, tmp_path):
    run, _ = up
    job = Materialiser(run)
    ids, rows, ts = np.array([USER, OTHER]), np.ones((2, 3)), np.zeros(2)
    assert len(job._heeded(USER_PROFILE, ids, rows, ts)[1]) == 2
    entomb(tmp_path)
    view, kept, left, times = await asyncio.to_thread(job._heeded, USER_PROFILE, ids, rows, ts)
    assert (view, kept.tolist(), len(left), len(times)) == (USER_PROFILE, [OTHER], 1, 1)
