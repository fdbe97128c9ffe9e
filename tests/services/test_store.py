"""The serving path's client of Redis: answers belong to their commands, whatever happens to the others."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from services.skeleton.store import MAX_WAITING, Store
from tests.services.harness import make_run, redis_at


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


async def test_answers_belong_to_their_commands(run):
    with redis_at(run):
        store = Store(run.redis)
        await asyncio.gather(*(store.command("SET", f"k{i}", i) for i in range(50)))
        many = await asyncio.gather(*(store.command("MGET", f"k{i}", "none", b"k1") for i in range(50)))
        await store.close()
    assert many == [[str(i).encode(), None, b"1"] for i in range(50)]


async def test_who_gives_up_takes_nobodys_answer(run):
    with redis_at(run):
        store = Store(run.redis)
        await store.command("SET", "a", "1")
        first = asyncio.create_task(store.command("GET", "a"))
        second = asyncio.create_task(store.command("ECHO", "me"))
        await asyncio.sleep(0)  # both are on their way
        first.cancel()
        assert await second == b"me"
        assert await store.command("GET", "a") == b"1"
        await store.close()


async def test_what_the_store_refuses_is_an_error_of_that_command_only(run):
    with redis_at(run):
        store = Store(run.redis)
        with pytest.raises(ResponseError, match="unknown command"):
            await store.command("NONSENSE")
        assert await store.command("PING") == b"PONG"
        await store.close()


async def test_a_store_that_hangs_costs_the_timeout_and_answers_in_order_afterwards(run):
    with redis_at(run) as process:
        store = Store(run.redis, timeout_s=0.1)
        await store.command("SET", "a", "1")
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        late = await asyncio.gather(*(store.command("ECHO", i) for i in range(5)), return_exceptions=True)
        took = time.monotonic() - began
        process.send_signal(signal.SIGCONT)
        assert all(isinstance(error, TimeoutError) for error in late)
        assert took < 1.0
        assert await store.command("GET", "a") == b"1"
        await store.close()


async def test_what_waits_is_bounded(run):
    with redis_at(run) as process:
        store = Store(run.redis, timeout_s=0.5)
        await store.command("PING")
        process.send_signal(signal.SIGSTOP)
        calls = (store.command("PING") for _ in range(MAX_WAITING + 5))
        late = await asyncio.gather(*calls, return_exceptions=True)
        process.send_signal(signal.SIGCONT)
        assert sum(isinstance(error, ConnectionError) for error in late) == 5
        await store.close()


async def test_a_store_that_died_fails_at_once_and_is_found_again(run):
    store = Store(run.redis)
    with redis_at(run) as process:
        await store.command("PING")
        waiting = asyncio.create_task(store.command("BLPOP", "nothing", 5))
        await asyncio.sleep(0)
        process.kill()
        with pytest.raises(ConnectionError):
            await waiting
    with pytest.raises(OSError):  # noqa: PT011 whatever the system says of a socket that is gone
        await store.command("PING")
    with redis_at(run):
        assert await store.command("PING") == b"PONG"
    await store.close()
