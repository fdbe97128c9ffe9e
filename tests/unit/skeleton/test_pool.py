"""The pool of handlers: first come, first served, whatever happens in line."""

import asyncio

import pytest

from services.skeleton.pool import Pool, Turn


def play(story):
    return asyncio.run(story())


async def settled():
    """Lets everybody run who can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def callers(pool, n, got):
    async def one(name):
        await pool.enter()
        got.append(name)

    tasks = [asyncio.create_task(one(name)) for name in range(n)]
    await settled()
    return tasks


def test_calls_beyond_its_size_wait_in_the_order_of_coming():
    async def story():
        pool, got = Pool(2), []
        await callers(pool, 5, got)
        assert (got, pool.waiting, pool.inflight) == ([0, 1], 3, 2)

        for _ in range(3):
            pool.leave()
            await settled()

        assert (got, pool.waiting, pool.inflight) == ([0, 1, 2, 3, 4], 0, 2)

    play(story)


def test_a_pool_that_grows_lets_in_who_waits_and_one_that_shrinks_lets_calls_end():
    async def story():
        pool, got = Pool(1), []
        await callers(pool, 4, got)

        pool.resize(3)
        await settled()
        assert (got, pool.inflight) == ([0, 1, 2], 3)

        pool.resize(1)
        pool.leave(), pool.leave()
        await settled()
        assert (got, pool.inflight) == ([0, 1, 2], 1)
        pool.leave()
        await settled()
        assert (got, pool.inflight) == ([0, 1, 2, 3], 1)

    play(story)


def test_who_gives_up_in_line_takes_no_handler_with_it():
    async def story():
        pool, got = Pool(1), []
        tasks = await callers(pool, 3, got)
        tasks[1].cancel()
        await settled()
        assert pool.waiting == 1

        pool.leave()
        tasks[2].cancel()  # just as its turn has come
        await settled()

        assert (got, pool.waiting, pool.inflight) == ([0], 0, 0)

    play(story)


def test_a_handler_that_is_held_is_not_free_sooner_because_its_caller_went():
    async def story():
        pool, held_s = Pool(1), 0.05
        turn = Turn(pool)

        async def call():
            try:
                await turn.begin()
                await turn.hold(held_s)
            finally:
                turn.end()

        task, began = asyncio.create_task(call()), asyncio.get_running_loop().time()
        await settled()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.inflight == 1

        await pool.enter()

        assert asyncio.get_running_loop().time() - began >= held_s * 0.99

    play(story)


def test_time_in_line_is_told_also_of_one_who_gave_up_there():
    async def story():
        pool = Pool(1)
        await pool.enter()
        turn = Turn(pool)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await turn.begin()
        assert turn.end() >= 0.019
        assert pool.inflight == 1

    play(story)
