"""What shares the machine with serving in a virtual run: the batch job's runs, and the upkeep of the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.runtime.operate.actions import Action
from sandbox.telemetry.lake import connect
from sandbox.virtual.stack import VirtualStack

HOUR, MINUTE = 3_600.0, 60.0
HURRY = {"fault": "batch-job-collision", "params": {"passes": 5_000, "rows_per_write": 20_000}}
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


def test_a_command_that_the_virtual_store_does_not_have_is_noted_and_ends_nothing(stack: VirtualStack) -> None:
    class Strange:
        async def around(self, call, proceed):
            call.payload = (("FLUSHALL", "x"),)
            return await proceed(call)

    stack.fabric.seams["materialiser"].store.put(Strange())
    stack.advance(stack.began_ts + 3 * MINUTE)

    said = asked(stack, "SELECT DISTINCT msg, fields FROM logs WHERE level = 'error'")
    assert said == [("upkeep of the store failed", '{"code": "STORE-001"}')]
