"""Recommendations asked of a stack one after the other, in turns with other sides, and what they cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import grpc
import numpy as np
from grpc import aio

from sandbox.base.catalogue import Catalogue
from sandbox.base.progress import ProgressFn
from sandbox.base.streams import uniforms
from sandbox.bench import turns
from sandbox.bench.turns import Turn
from services.proto.recsys.v1 import gateway_pb2, gateway_pb2_grpc

K = 10  # items of a slate
WARM_UP = 20  # calls at the beginning of a turn that do not count: the caches are the other side's
IDLE_S = 1.0  # wall seconds without calls at the end of each turn, to know what runs anyway
LAST_S = 0.5  # appends and telemetry of the last calls belong to them


class Side(Protocol):
    """What is measured in turns with others: it has a beginning, calls, and CPU seconds by name."""

    name: str

    def resume(self) -> None: ...
    def pause(self) -> None: ...
    def cpu_s(self) -> dict[str, float]: ...
    async def calling(self) -> Callable[[int], Awaitable[None]]: ...
    async def hang_up(self) -> None: ...


@dataclass
class Measured:
    """By side: its turns, and how long its calls took, in milliseconds."""

    turns: dict[str, list[Turn]] = field(default_factory=dict)
    latencies_ms: dict[str, list[float]] = field(default_factory=dict)


def in_turns(sides: list[Any], n: int, rounds: int, progress: ProgressFn, idle_s: float = IDLE_S) -> Measured:
    """Each side has 2 x rounds turns of so many calls that they come to n. Of all sides one runs, the others are paused."""
    found = Measured({side.name: [] for side in sides}, {side.name: [] for side in sides})
    each = max(1, round(n / (2 * rounds)))
    whose = turns.order(len(sides), rounds)
    for side in sides:
        side.pause()
    asked = dict.fromkeys(found.turns, 0)
    for i, at in enumerate(whose):
        side = sides[at]
        progress(f"in turns, {each} calls each: {', '.join(found.turns)}", i / len(whose))
        side.resume()
        try:
            turn, took = asyncio.run(_turn(side, asked[side.name], each, idle_s))
        finally:
            side.pause()
        asked[side.name] += each + WARM_UP
        found.turns[side.name].append(turn)
        found.latencies_ms[side.name] += took
    return found


async def _turn(side: Any, first: int, n: int, idle_s: float) -> tuple[Turn, list[float]]:
    call = await side.calling()
    try:
        for i in range(WARM_UP):
            await call(first + i)
        before, start, took = side.cpu_s(), time.perf_counter(), []
        for i in range(n):
            began = time.perf_counter()
            await call(first + WARM_UP + i)
            took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(LAST_S)
        after, ended = side.cpu_s(), time.perf_counter()
        await asyncio.sleep(idle_s)  # the quiet itself is what is measured
        quiet, over = side.cpu_s(), time.perf_counter()
    finally:
        await side.hang_up()
    busy_s = {name: after[name] - before.get(name, 0.0) for name in after}
    return Turn(n, busy_s, ended - start, {name: quiet[name] - after[name] for name in after}, over - ended), took


def users_of(catalogue: Catalogue, n: int, seed: int) -> np.ndarray:
    """int64 [n]: users who may be known, drawn with repetition; the same for the stack and its floor."""
    known = np.flatnonzero(catalogue.user_personalised)
    return known[(uniforms(seed, "bench/users", np.arange(n)) * len(known)).astype(np.int64)]


class Asking:
    """Asks a gateway: call i is for the i-th of the drawn users, whoever asks."""

    def __init__(self, gateway: str, world_dir: Path, seed: int) -> None:
        self._gateway, self._seed = gateway, seed
        self._catalogue = Catalogue.load(world_dir / "public" / "catalogue.npz")
        self._users: list[int] = []
        self._channel: aio.Channel | None = None

    async def calling(self) -> Callable[[int], Awaitable[None]]:
        self._channel = aio.insecure_channel(self._gateway)
        stub = gateway_pb2_grpc.RecommenderStub(self._channel)

        async def ask(i: int) -> None:
            if i >= len(self._users):
                self._users = users_of(self._catalogue, 2 * i + 1_000, self._seed).tolist()
            await _patiently(stub, self._users[i], i + 1)

        return ask

    async def hang_up(self) -> None:
        if self._channel is not None:
            await self._channel.close()


async def _patiently(stub: Any, user: int, session: int) -> None:
    """A call that is too late on a busy machine is asked again: it costs, and is counted, all the same."""
    request = gateway_pb2.RecommendRequest(
        user_id=user, k=K, session_id=str(session), depth=1, surface="home", client="app"
    )
    for _ in range(3):
        try:
            await stub.Recommend(request, timeout=2.0)
            return
        except aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
