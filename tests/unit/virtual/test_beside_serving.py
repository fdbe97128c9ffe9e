"""What shares the machine with serving in a virtual run: the batch job's runs, and the upkeep of the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.base.config import Config, FeaturesConfig, RedisConfig
from sandbox.base.features import Status
from sandbox.runtime.operate.actions import Action
from sandbox.telemetry.lake import connect
from sandbox.virtual.stack import VirtualStack

HOUR, MINUTE = 3_600.0, 60.0
HURRY = {"fault": "batch-job-collision", "params": {"passes": 5_000, "rows_per_write": 20_000}}
DRAFTS = {"fault": "redis-eviction-pressure", "params": {"mb_per_s": 2.0}}
BOARD = {"fault": "redis-key-hotspot", "params": {"elements": 400_000}}


@pytest.fixture
def stack(home: Path, tmp_path: Path) -> VirtualStack:
    return VirtualStack("tiny", tmp_path / "run", seed=3, rate_per_s=10.0)


def asked(stack: VirtualStack, sql: str) -> list[tuple]:
    stack.flush()
    return connect(stack.run.lake).execute(sql).fetchall()


def test_a_run_in_a_hurry_takes_its_core_and_the_store_until_it_is_stopped(stack: VirtualStack) -> None:
    stack.arm("materialiser", {"id": "f", **HURRY})
    stack.advance(stack.began_ts + HOUR + 5 * MINUTE)
    assert stack.materialiser.busy

    stack.disarm("materialiser", "f")
    Action.parse(["restart", "service=materialiser"]).run(stack.operations, "operator")
    assert not stack.materialiser.busy, "it ends with its process"
    stack.advance(stack.now() + 10 * MINUTE)

    busy = dict(asked(stack, "SELECT service, max(cpu_pct) FROM procs GROUP BY 1"))
    assert busy["materialiser"] > 40
    runs = asked(stack, "SELECT run_id, status FROM materialization_runs WHERE view = 'user_profile' ORDER BY started")
    assert [status for _, status in runs] == ["OK", "OK"], "that at the start, and that of the restarted job"
    ages = asked(stack, f"SELECT max(age_max_s) FROM feature_reads WHERE ts > to_timestamp({stack.now() - 5 * MINUTE})::TIMESTAMP AND view = 'item_stats'")  # fmt: skip
    assert ages[0][0] < HOUR


def test_a_fault_on_the_job_that_is_not_hit_changes_nothing_that_happens(home: Path, tmp_path: Path) -> None:
    def played(folder: str, armed: bool) -> VirtualStack:
        stack = VirtualStack("tiny", tmp_path / folder, seed=3, rate_per_s=5.0, telemetry=False)
        if armed:
            stack.arm("materialiser", {"id": "f", **HURRY, "scope": {"callee": "user_seen"}})
            stack.arm("features", {"id": "g", "fault": "wrong-entity-features", "scope": {"user_buckets": [0, 1]}, "share": 0.0})  # fmt: skip
        stack.advance(stack.began_ts + HOUR + 10 * MINUTE)
        return stack

    plain, spared = played("a", False).ledger, played("b", True).ledger
    for name in ("user", "clicks", "latency_ms", "revenue"):
        assert np.array_equal(getattr(plain.requests, name), getattr(spared.requests, name))


def test_a_huge_list_that_is_sorted_holds_whoever_reads_the_store(stack: VirtualStack) -> None:
    stack.advance(stack.began_ts + 5 * MINUTE)
    stack.arm("materialiser", {"id": "f", **BOARD})
    stack.advance(stack.began_ts + 10 * MINUTE)

    ((n, keys, least_ms),) = asked(stack, "SELECT count(*), count(DISTINCT key), min(dur_ms) FROM redis_slowlog")
    assert n >= 4
    assert (keys, round(least_ms)) == (1, 88)
    ((before_ms, since_ms),) = asked(stack, f"""
        SELECT max(dur_ms) FILTER (ts < t), max(dur_ms) FILTER (ts >= t)
        FROM spans, (SELECT to_timestamp({stack.began_ts + 5 * MINUTE})::TIMESTAMP AS t) WHERE op = 'MGET'""")  # fmt: skip
    assert since_ms > 50 > before_ms


def test_a_store_that_starts_again_has_forgotten_the_list(stack: VirtualStack) -> None:
    stack.arm("materialiser", {"id": "f", **BOARD})
    stack.advance(stack.began_ts + 3 * MINUTE)
    assert stack.store.lists == {"board:watched": 400_000}

    stack.restart("redis")

    assert stack.store.lists == {}


def test_drafts_push_the_rows_of_those_who_are_away_out_of_a_full_store(stack: VirtualStack) -> None:
    act(stack, "store memory_mb=8 policy=allkeys-lru")
    stack.advance(stack.began_ts + 5 * MINUTE)
    before = stack.store.n_keys
    stack.arm("materialiser", {"id": "f", **DRAFTS})
    stack.advance(stack.began_ts + 20 * MINUTE)
    away = np.setdiff1d(stack.materialiser._snapshot["user_id"], stack.ledger.requests.user)
    assert profiles(stack, away) == {int(Status.MISSING)}

    act(stack, "store policy=volatile-lru")
    stack.advance(stack.began_ts + 65 * MINUTE)

    assert profiles(stack, away) == {int(Status.PRESENT)}, "the hourly job wrote them anew, and only drafts go by now"
    rows = asked(stack, f"""
        SELECT sum(evicted) FILTER (ts < t), sum(evicted) FILTER (ts >= t), max(used_mb / maxmemory_mb), sum(expired), sum(misses)
        FROM redis_stats, (SELECT to_timestamp({stack.began_ts + 5 * MINUTE})::TIMESTAMP AS t)""")  # fmt: skip
    ((evicted_before, evicted, fill, expired, missed),) = rows
    assert (evicted_before, expired) == (0, 0)
    assert evicted > before
    assert 0.95 < fill <= 1.0
    assert missed > 0


def test_where_no_key_may_go_drafts_fill_the_store_and_nobody_writes_any_more(stack: VirtualStack) -> None:
    act(stack, "store memory_mb=8")
    stack.arm("materialiser", {"id": "f", **DRAFTS})
    stack.advance(stack.began_ts + 10 * MINUTE)
    told = {code for (code,) in asked(stack, "SELECT fields FROM logs WHERE msg = 'upkeep of the store failed'")}

    act(stack, "store memory_mb=512")
    stack.advance(stack.began_ts + 12 * MINUTE)

    assert told == {'{"code": "STORE-004"}'}
    assert stack.stream.backlog == 0, "what waited is done once there is room"


def test_how_a_run_is_looked_at_changes_nothing_of_what_is_let_go(home: Path, tmp_path: Path) -> None:
    def played(folder: str, every: float) -> VirtualStack:
        config = Config(redis=RedisConfig(maxmemory_mb=8, policy="allkeys-lru"))
        stack = VirtualStack("tiny", tmp_path / folder, seed=3, rate_per_s=10.0, config=config)
        stack.arm("materialiser", {"id": "f", **DRAFTS})
        while stack.now() < stack.began_ts + 6 * MINUTE:
            stack.advance(stack.now() + every)
            stack.flush()
        return stack

    seldom, often = played("a", 6 * MINUTE), played("b", 15.0)

    assert seldom.store.memory.n_evicted == often.store.memory.n_evicted > 0
    assert np.array_equal(seldom.ledger.requests.clicks, often.ledger.requests.clicks)


def test_who_reads_from_a_replica_that_stands_still_knows_nothing_of_the_visit(home: Path, tmp_path: Path) -> None:
    config = Config(redis=RedisConfig(replica=True), features=FeaturesConfig(reads="replica"))
    stack = VirtualStack("tiny", tmp_path / "run", seed=3, rate_per_s=10.0, config=config)
    stack.advance(stack.began_ts + 5 * MINUTE)
    stack.arm("materialiser", {"id": "f", "fault": "replica-lag-stale-read", "params": {"lag_s": 20}})
    stack.advance(stack.began_ts + 45 * MINUTE)
    act(stack, "reads from=primary")
    stack.advance(stack.began_ts + 55 * MINUTE)

    ages = asked(stack, f"""
        SELECT CASE WHEN ts < t THEN 'before' WHEN ts < t + INTERVAL 40 MINUTE THEN 'held' ELSE 'after' END, avg((coalesce(session_age_s, 86400) > 300)::INT)
        FROM requests, (SELECT to_timestamp({stack.began_ts + 5 * MINUTE})::TIMESTAMP AS t) WHERE depth >= 3 GROUP BY 1""")  # fmt: skip
    old = dict(ages)
    assert old["held"] > 0.8 > 0.4 > old["after"]
    ((most_s, before_s, backlog),) = asked(stack, f"""
        SELECT max(replica_lag_s), max(replica_lag_s) FILTER (ts < to_timestamp({stack.began_ts + 5 * MINUTE})::TIMESTAMP),
               (SELECT max(backlog) FROM stream_stats) FROM redis_stats""")  # fmt: skip
    assert before_s == 0
    assert 18 * MINUTE <= most_s <= 21 * MINUTE
    assert backlog < 100


def profiles(stack: VirtualStack, users: np.ndarray) -> set[int]:
    """What becomes of reading the profile of each."""
    return {int(stack.store.user(user, stack.now())[0].status[0]) for user in users.tolist()}


def act(stack: VirtualStack, line: str) -> None:
    Action.parse(line.split()).run(stack.operations, "operator")


def test_a_command_that_the_virtual_store_does_not_have_is_noted_and_ends_nothing(stack: VirtualStack) -> None:
    class Strange:
        async def around(self, call, proceed):
            call.payload = (("FLUSHALL", "x"),)
            return await proceed(call)

    stack.fabric.seams["materialiser"].store.put(Strange())
    stack.advance(stack.began_ts + 3 * MINUTE)

    said = asked(stack, "SELECT DISTINCT msg, fields FROM logs WHERE level = 'error'")
    assert said == [("upkeep of the store failed", '{"code": "STORE-001"}')]
