"""Moving the stream processor, as an operator may: how far it is behind, on to now, back to the past."""

from __future__ import annotations

import pytest
import redis

from sandbox.base.errors import SandboxError
from sandbox.runtime import event_stream
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations
from services.events.core import GROUP, STREAM
from tests.services.harness import make_run, redis_at


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


@pytest.fixture
def store(run):
    with redis_at(run), redis.Redis(**run.redis_kwargs()) as client:
        client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        for n in range(5):
            client.xadd(STREAM, {"e": n})
        yield client


def read(store, count):
    answer = store.xreadgroup(GROUP, "stream-0", {STREAM: ">"}, count=count)
    return sum(len(entries) for _, entries in answer)


def test_the_backlog_is_what_was_not_read_and_what_was_not_acknowledged(run, store):
    read(store, 2)

    assert event_stream.backlog(run) == 5


def test_what_is_skipped_is_never_read_again_until_it_is_replayed(run, store):
    assert event_stream.skip(run) == 5
    assert read(store, 10) == 0

    event_stream.replay(run, 10.0)

    assert read(store, 10) == 5


def test_a_store_that_is_away_is_said_by_code(run):
    with pytest.raises(SandboxError, match="STORE-001"):
        event_stream.backlog(run)


@pytest.mark.parametrize("minutes", ["soon", "inf", "nan", "-1"])
def test_a_time_that_is_none_is_refused_before_anything_moves(run, minutes):
    with pytest.raises(SandboxError, match="DRILL-007"):
        Action.parse(["replay", f"minutes={minutes}"]).run(Operations(run), "operator")

    assert not Operations(run).records()
