"""What an operator does to a real Redis, and what is refused."""

from __future__ import annotations

import pytest
import redis

from sandbox.base.config import Config, RedisConfig
from sandbox.base.errors import SandboxError
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations
from tests.services.harness import make_run as made_run
from tests.services.harness import redis_at


def make_run(folder, config=None):
    run = made_run(folder, config)
    run.save()
    return run


def act(run, line):
    return Action.parse(line.split()).run(Operations(run), "operator")


def in_force(run):
    with redis.Redis(**run.redis_kwargs()) as store:
        settings = store.config_get("maxmemory*")
        return int(settings["maxmemory"]) // 2**20, settings["maxmemory-policy"]


def test_memory_and_policy_change_while_it_runs_outlive_a_restart_and_can_be_taken_back(tmp_path):
    run = make_run(tmp_path)
    with redis_at(run):
        before = in_force(run)
        done = act(run, "store memory_mb=64 policy=volatile-lru")
        after = in_force(run)
    with redis_at(run):
        again = in_force(run)
        Operations(run).revert(done.n, "operator")
        back = in_force(run)

    assert (before, back) == ((512, "noeviction"),) * 2
    assert (after, again) == ((64, "volatile-lru"),) * 2
    assert done.effects == [
        "set service=redis field=maxmemory_mb value=64",
        "set service=redis field=policy value=volatile-lru",
    ]
    assert (done.old, done.new) == ("512 MB, noeviction", "64 MB, volatile-lru")


def test_a_store_that_is_away_is_said_and_its_settings_stay(tmp_path):
    run = make_run(tmp_path)

    with pytest.raises(SandboxError, match="STORE-001"):
        act(run, "store memory_mb=64")

    assert Config.load(run.path).redis == RedisConfig()


@pytest.mark.parametrize(
    "line",
    ["store", "store memory_mb=1", "store memory_mb=64.5", "store memory_mb=much", "store policy=lru", "reads from=moon",
     "reads from=replica"],
)  # fmt: skip
def test_what_there_is_not_is_refused_before_anything_happens(tmp_path, line):
    run = make_run(tmp_path)

    with pytest.raises(SandboxError, match="DRILL-007"):
        act(run, line)

    assert Config.load(run.path) == Config()


def test_reads_go_to_a_replica_where_there_is_one(tmp_path):
    run = make_run(tmp_path, Config(redis=RedisConfig(replica=True)))
    plan = Action.parse(["reads", "from=replica"]).plan(Operations(run))

    assert plan.preview.warning == "a replica may be behind"
    assert plan.preview.touches == ["features"]
