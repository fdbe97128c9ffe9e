"""Upkeep of a real Redis, and what it says of commands that took long."""

from __future__ import annotations

import asyncio

import redis

from faults.arming import Spec, wrapper
from sandbox.base.clock import WallClock
from sandbox.base.config import RedisConfig
from sandbox.base.schema import TABLES
from sandbox.runtime.store_settings import put_in_force
from sandbox.runtime.upkeep import Upkeep
from sandbox.telemetry.redis_probe import RedisLink, RedisProbe
from services.skeleton.replica import HELD
from services.skeleton.seams import Seams
from services.skeleton.store import Store
from tests.services.harness import make_run, redis_at
from tests.services.waiting import until, wait_for


def rounds(address, seams, n):
    """Lines that so many rounds leave, and what the probe finds slow after them: twice."""
    said = []

    async def play():
        store, link = Store(address, timeout_s=10.0), RedisLink(address)
        upkeep = Upkeep(store, seams, lambda level, text, **fields: said.append((level, text, fields)))
        probe = RedisProbe(link)
        await probe.slow(0.0)
        for _ in range(n):
            await upkeep.once()
        found = await probe.slow(1.0), await probe.slow(2.0)
        link.close()
        await store.close()
        return found

    return said, *asyncio.run(play())


def test_a_huge_list_is_made_and_sorted_and_stands_in_the_log_of_slow_commands(tmp_path):
    run, clock = make_run(tmp_path), WallClock()
    seams = Seams(clock, clock)
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        store.config_set("slowlog-log-slower-than", 1_000)
        seams.store.put(wrapper(Spec(fault="redis-key-hotspot", params={"key": "b", "elements": 60_000}), clock, clock))
        said, slow, again = rounds(run.redis, seams, 2)

        assert store.llen("b") == 60_000
    assert [fields["commands"] for _, _, fields in said] == [1 + 6 + 1, 1]
    sorts = [row for row in slow if row[2] == "SORT"]
    assert [row[:4] for row in sorts] == [(1.0, "redis-0", "SORT", "b")] * 2
    assert all(row[-1] >= 1.0 for row in sorts)
    assert again == [], "each is told of once"


def test_a_store_that_is_away_is_said_and_the_next_round_tries_again(tmp_path):
    clock = WallClock()
    seams = Seams(clock, clock)
    seams.store.put(wrapper(Spec(fault="redis-key-hotspot", params={"elements": 10_000}), clock, clock))

    async def play():
        said = []
        store = Store(str(tmp_path / "nobody"), timeout_s=1.0)
        await Upkeep(store, seams, lambda *line, **fields: said.append((*line, fields))).once()
        return said

    assert asyncio.run(play()) == [("error", "upkeep of the store failed", {"code": "STORE-001"})]


def test_drafts_push_rows_out_of_a_full_store_and_the_probe_says_so(tmp_path):
    run, clock = make_run(tmp_path), WallClock()
    seams = Seams(clock, clock)
    pressing = Spec(fault="redis-eviction-pressure", params={"mb_per_s": 8.0, "lives_s": 600})
    seams.store.put(wrapper(pressing, clock, clock))
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:
        put_in_force(run, RedisConfig(maxmemory_mb=8, policy="allkeys-lru"))
        rows = [f"f:user_profile:{{{user}}}" for user in range(40)]
        for row in rows:
            store.set(row, b"x" * 168)
        wait_for(lambda: store.object("idletime", rows[-1]) >= 2)

        async def play():
            client, link = Store(run.redis, timeout_s=10.0), RedisLink(run.redis)
            upkeep, probe = Upkeep(client, seams, lambda *line, **fields: None), RedisProbe(link)
            before = await probe.stats(0.0, 1.0)
            for _ in range(3):
                await upkeep.once()
            after = await probe.stats(1.0, 1.0)
            link.close()
            await client.close()
            return before, after

        before, after = (dict(zip(TABLES["redis_stats"].names, row, strict=True)) for row in asyncio.run(play()))

        assert sum(bool(store.exists(row)) for row in rows) < 8, (
            "Redis looks at a few keys, and takes the oldest of these"
        )
    assert (before["evicted"], before["maxmemory_mb"]) == (0, 8.0)
    assert after["evicted"] >= 16 * 16, "24 MiB of drafts do not fit into 8"
    assert 7.5 < after["used_mb"] < 8.5


def test_a_replica_that_is_held_back_is_behind_by_so_much_and_the_probe_says_so(tmp_path):
    run, clock = make_run(tmp_path), WallClock()
    seams = Seams(clock, clock)
    seams.store.put(wrapper(Spec(fault="replica-lag-stale-read", params={"lag_s": 60}), clock, clock))
    with redis_at(run), redis.Redis(unix_socket_path=run.redis) as store:

        async def play():
            client, link = Store(run.redis, timeout_s=10.0), RedisLink(run.redis)
            upkeep, probe = Upkeep(client, seams, lambda *line, **fields: None), RedisProbe(link, 60.0)
            rows = [await probe.stats(0.0, 1.0)]
            await upkeep.once()
            await until(lambda: store.pttl(HELD) < 59_900)
            await upkeep.once()
            rows.append(await probe.stats(1.0, 1.0))
            link.close()
            rows.append(await RedisProbe(link).stats(2.0, 1.0))
            link.close()
            await client.close()
            return rows

        lags = [row[TABLES["redis_stats"].names.index("replica_lag_s")] for row in asyncio.run(play())]

        assert store.pttl(HELD) < 59_900, "what is held already is not held for longer"
    assert lags[0] == 0.0
    assert 6.0 < lags[1] < 60 * 60.0
    assert lags[2] is None, "where there is none"
