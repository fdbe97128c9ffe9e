"""Recommendations asked of a stack one after the other, in turns with other sides, and what they cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
FIRST = 60  # calls of each side before the first turn: what is loaded or compiled when it is first needed
IDLE_S = 1.0  # wall seconds without calls at the end of each turn, to know what runs anyway
LAST_S = 0.5  # appends and telemetry of the last calls belong to them


@dataclass(frozen=True)
class Taken:
    """A turn, when its calls began, in seconds since the first, and how long they took."""

    turn: Turn
    began_s: list[float]
    latencies_ms: list[float]


class Side(Protocol):
    """What is measured in turns with others."""

    @property
    def name(self) -> str: ...
    def resume(self) -> None: ...
    def pause(self) -> None: ...
    def turn(self, first: int, n: int, began_s: list[float]) -> Taken:
        """Calls first to first + n. began_s: when those of the first side's latest turn began, for whoever wants the same
        pauses; empty for the first side itself."""


@dataclass
class Measured:
    """By side: its turns, and how long its calls took, in milliseconds."""

    turns: dict[str, list[Turn]] = field(default_factory=dict)
    latencies_ms: dict[str, list[float]] = field(default_factory=dict)


def in_turns(sides: Sequence[Side], n: int, rounds: int, progress: ProgressFn) -> Measured:
    """Each side has 2 x rounds turns of so many calls that they come to n. Of all sides one runs, the others are paused."""
    found = Measured({side.name: [] for side in sides}, {side.name: [] for side in sides})
    each = max(1, round(n / (2 * rounds)))
    whose = turns.order(len(sides), rounds)
    for side in sides:
        side.pause()
    for side in sides:
        progress(f"warming up: {side.name}", None)
        _its_turn(side, 0, FIRST, [])
    asked, began_s = dict.fromkeys(found.turns, FIRST + WARM_UP), list[float]()
    for i, at in enumerate(whose):
        side = sides[at]
        progress(f"in turns, {each} calls each: {', '.join(found.turns)}", i / len(whose))
        taken = _its_turn(side, asked[side.name], each, began_s if at else [])
        began_s = began_s if at else taken.began_s
        asked[side.name] += each + WARM_UP
        found.turns[side.name].append(taken.turn)
        found.latencies_ms[side.name] += taken.latencies_ms
    return found


def _its_turn(side: Side, first: int, n: int, began_s: list[float]) -> Taken:
    side.resume()
    try:
        return side.turn(first, n, began_s)
    finally:
        side.pause()


Calling = Callable[[], AbstractAsyncContextManager[Callable[[int], Awaitable[None]]]]


def turn_of(calling: Calling, cpu_s: Callable[[], dict[str, float]], first: int, n: int, began_s: list[float]) -> Taken:
    """A turn of calls one after the other, after some that do not count. cpu_s: by name, as of now."""
    return asyncio.run(_turn(calling, cpu_s, first, n, began_s))


async def _turn(
    calling: Calling, cpu_s: Callable[[], dict[str, float]], first: int, n: int, began_s: list[float]
) -> Taken:
    begun, took = list[float](), list[float]()
    async with calling() as call:
        for i in range(WARM_UP):
            await call(first + i)
        before, start = cpu_s(), time.perf_counter()
        for i in range(n):
            if i < len(began_s):
                await asyncio.sleep(max(0.0, start + began_s[i] - time.perf_counter()))
            began = time.perf_counter()
            await call(first + WARM_UP + i)
            begun.append(began - start)
            took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(LAST_S)
        after, ended = cpu_s(), time.perf_counter()
        await asyncio.sleep(IDLE_S)  # the quiet itself is what is measured
        quiet, over = cpu_s(), time.perf_counter()
    busy_s = {name: after[name] - before.get(name, 0.0) for name in after}
    idle_s = {name: quiet.get(name, after[name]) - after[name] for name in after}
    return Taken(Turn(n, busy_s, ended - start, idle_s, over - ended), begun, took)


def users_of(catalogue: Catalogue, n: int, seed: int) -> np.ndarray:
    """int64 [n]: users who may be known, drawn with repetition; the same for the stack and its floor."""
    known = np.flatnonzero(catalogue.user_personalised)
    return known[(uniforms(seed, "bench/users", np.arange(n)) * len(known)).astype(np.int64)]


class Asking:
    """Asks a gateway: call i is for the i-th of the drawn users, whoever asks. degraded_share: of its answers, those for which
    some stage was left out; they cost less, so many of them make a ratio worth nothing."""

    def __init__(self, gateway: str, world_dir: Path, seed: int) -> None:
        self._gateway, self._seed = gateway, seed
        self._answered, self._degraded = 0, 0
        self._catalogue = Catalogue.load(world_dir / "public" / "catalogue.npz")
        self._users: list[int] = []

    @property
    def degraded_share(self) -> float:
        return self._degraded / max(1, self._answered)

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
        async with aio.insecure_channel(self._gateway) as channel:
            stub = gateway_pb2_grpc.RecommenderStub(channel)

            async def ask(i: int) -> None:
                if i >= len(self._users):
                    self._users = users_of(self._catalogue, 2 * i + 1_000, self._seed).tolist()
                answer = await _patiently(stub, self._users[i], i + 1)
                if answer is not None:
                    self._answered += 1
                    self._degraded += answer.degraded

            yield ask


async def _patiently(stub: Any, user: int, session: int) -> Any:
    """The answer. A call that is too late on a busy machine is asked again: it costs, and is counted, all the same. None
    where it is too late each time."""
    request = gateway_pb2.RecommendRequest(
        user_id=user, k=K, session_id=str(session), depth=1, surface="home", client="app"
    )
    for _ in range(3):
        try:
            return await stub.Recommend(request, timeout=2.0)
        except aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
    return None
