"""Batches of the model server, with a forward pass that notes what it was given."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from sandbox.base.clock import WallClock
from sandbox.base.config import Beat
from sandbox.base.errors import SandboxError
from services.model.batching import Batcher


class Recorder:
    """A forward pass whose result tells rows apart: p = (item, user, version). It notes batch sizes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, model, users, items, inputs):
        self.sizes.append(len(items))
        if model == "broken":
            raise SandboxError("MODEL-003", where="here", seen=1, expected="2", fix="none")
        return np.stack([items, users, np.full(len(items), float(model))], 1).astype(np.float32)


def batcher(forward: Recorder, *, max_rows: int = 1024, max_wait_s: float = 0.001) -> Batcher:
    return Batcher(forward, WallClock(), max_rows, max_wait_s)


async def submit(to: Batcher, user: int, items: list[int], model: str = "1"):
    ids = np.array(items, np.int64)
    return await to.submit(model, np.full(len(ids), user), ids, np.zeros((len(ids), 2), np.float32))


async def test_calls_that_come_together_share_a_pass_and_get_their_own_rows():
    forward = Recorder()
    to = batcher(forward)

    answers = await asyncio.gather(*(submit(to, u, [10 * u, 10 * u + 1]) for u in range(5)))

    assert forward.sizes == [10]
    for u, answer in enumerate(answers):
        assert answer.probabilities[:, 0].tolist() == [10 * u, 10 * u + 1]
        assert answer.probabilities[:, 1].tolist() == [u, u]
        assert answer.batch_rows == 10


async def test_a_lone_call_does_not_wait_for_company():
    to = batcher(Recorder(), max_wait_s=30.0)

    answer = await asyncio.wait_for(submit(to, 1, [1]), 5)

    assert answer.wait_ms < 1_000


async def test_a_call_right_behind_a_batch_waits_and_is_joined():
    forward = Recorder()
    to = batcher(forward, max_wait_s=0.05)
    await submit(to, 1, [1])

    second = asyncio.create_task(submit(to, 2, [2]))
    for _ in range(5):
        await asyncio.sleep(0)
    third = asyncio.create_task(submit(to, 3, [3]))
    await asyncio.gather(second, third)

    assert forward.sizes == [1, 2]


async def test_a_full_batch_goes_at_once():
    forward = Recorder()
    to = batcher(forward, max_rows=4, max_wait_s=30.0)
    await submit(to, 0, [0])  # now the server counts as busy

    await asyncio.wait_for(asyncio.gather(submit(to, 1, [1, 2]), submit(to, 2, [3, 4])), 5)

    assert forward.sizes == [1, 4]


async def test_versions_are_not_mixed_and_one_that_fails_fails_alone():
    forward = Recorder()
    to = batcher(forward)

    good, bad = await asyncio.gather(submit(to, 1, [1], "7"), submit(to, 1, [1], "broken"), return_exceptions=True)

    assert good.probabilities[0, 2] == 7
    assert isinstance(bad, SandboxError)


async def test_a_caller_that_gave_up_costs_nobody_anything():
    forward = Recorder()
    to = batcher(forward, max_wait_s=0.02)
    await submit(to, 0, [0])

    gone, stays = (asyncio.create_task(submit(to, u, [u])) for u in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    answer = await stays

    assert answer.probabilities[0, 1] == 2
    assert forward.sizes == [1, 1]
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_by_a_beat_a_lone_call_waits_and_many_go_few_at_a_time_in_the_order_in_which_they_came():
    forward = Recorder()
    to = batcher(forward)
    to.beat = Beat(every_ms=20, calls=2)

    lone = await submit(to, 0, [0])
    answers = await asyncio.gather(*(submit(to, u, [u]) for u in range(1, 6)))

    assert lone.wait_ms >= 15, "nobody else came, and it waited all the same"
    assert forward.sizes == [1, 2, 2, 1]
    waits = [answer.wait_ms for answer in answers]
    assert waits[2] > waits[0] + 15, "a beat later"
    assert waits[4] > waits[2] + 15


async def test_in_a_line_by_a_beat_who_gave_up_keeps_the_place_and_without_a_beat_all_go():
    forward = Recorder()
    to = batcher(forward)
    to.beat = Beat(every_ms=20)
    first, gone, last = (asyncio.create_task(submit(to, u, [u])) for u in (1, 2, 3))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await last).wait_ms > (await first).wait_ms + 30
    assert forward.sizes == [1, 1]

    rest = [asyncio.create_task(submit(to, u, [u])) for u in (4, 5)]
    await asyncio.sleep(0)
    to.drain()
    await asyncio.gather(*rest)
    assert forward.sizes == [1, 1, 2]
