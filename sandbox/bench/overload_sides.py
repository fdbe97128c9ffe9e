"""The two backends as `bench overload` loads them: users drawn at random ask once each, and nobody waits for anybody."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from grpc import aio

from loadtest.clients import TIMEOUT_S
from sandbox.base.catalogue import Catalogue
from sandbox.bench.driving import K, users_of
from sandbox.bench.overload import Ended
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.stack import Stack
from sandbox.virtual.machine.fabric import Dice, dice
from sandbox.virtual.processes.gateway import Served
from sandbox.virtual.stack import VirtualStack
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc

LIMITED = ("gateway", "model")
QUIET_S = 1.0  # after a load, for what follows its answers


def switched(operations: Operations, mode: str) -> None:
    """The limits, by their action."""
    for service in LIMITED:
        Action.parse(["concurrency", f"service={service}", f"mode={mode}"]).run(operations, "bench")


class Live:
    """stack: running."""

    def __init__(self, stack: Stack) -> None:
        self._run = stack.run
        self._catalogue = Catalogue.load(Path(stack.run.world_dir) / "public" / "catalogue.npz")
        self._sessions = itertools.count(20_000_000)

    def mode(self, mode: str) -> None:
        switched(Operations(self._run), mode)

    def load(self, at_s: Sequence[float], seed: int) -> list[Ended]:
        return asyncio.run(self._load(at_s, users_of(self._catalogue, len(at_s), seed).tolist()))

    async def _load(self, at_s: Sequence[float], users: Sequence[int]) -> list[Ended]:
        async with aio.insecure_channel(self._run.addresses["gateway"]) as channel:
            stub = gateway_pb2_grpc.RecommenderStub(channel)
            await asyncio.wait_for(channel.channel_ready(), 10)
            began = time.perf_counter()
            calls = []
            for at, user in zip(at_s, users, strict=True):
                await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
                calls.append(asyncio.create_task(self._ask(stub, user, began, at)))
            ended = await asyncio.gather(*calls)
        await asyncio.sleep(QUIET_S)  # the next load is to find a quiet stack
        return ended

    async def _ask(self, stub: Any, user: int, began: float, at_s: float) -> Ended:
        request = gateway_pb2.RecommendRequest(
            user_id=user, k=K, session_id=str(next(self._sessions)), depth=1, surface="home", client="app"
        )
        status, whole = "OK", False
        try:
            whole = not (await stub.Recommend(request, timeout=TIMEOUT_S)).degraded
        except aio.AioRpcError as error:
            status = error.code().name
        return Ended(at_s, (time.perf_counter() - began - at_s) * 1000, status, whole)


class Virtual:
    """On a virtual stack whose own users stay away."""

    def __init__(self, world: str, run_dir: Path) -> None:
        self._stack = VirtualStack(world, run_dir, seed=1, rate_per_s=1e-6)
        self._sessions = itertools.count(20_000_000)

    def mode(self, mode: str) -> None:
        switched(self._stack.operations, mode)

    def load(self, at_s: Sequence[float], seed: int) -> list[Ended]:
        stack, n = self._stack, len(at_s)
        users, sessions = (
            users_of(stack.catalogue, n, seed),
            np.array(list(itertools.islice(self._sessions, n)), np.int64),
        )
        luck = dice(seed, "request", users, sessions, np.ones(n, np.int64))
        began, ended = stack.loop.now, list[tuple[float, float, str, Served | None]]()

        async def ask(at: float, user: int, session: int, noise: Dice) -> None:
            status, served = await stack.clients.ask_once(user, session, noise)
            ended.append((at, (stack.loop.now - began - at) * 1000, status, served))

        def due(*of: Any) -> None:
            stack.loop.spawn(ask(*of))

        for one in zip(at_s, users.tolist(), sessions.tolist(), luck, strict=True):
            stack.loop.at(began + one[0], due, *one)
        last_s = at_s[-1] if n else 0.0
        stack.advance(stack.now() + (last_s + TIMEOUT_S + QUIET_S) * stack.world.speed)
        stack.gathering.settle()
        return [Ended(at, ms, status, of is not None and not of.degraded.get()) for at, ms, status, of in ended]
