"""Participants of rooms, in a process of their own: `python -m sandbox.bench.warroom.clients`.

A line of JSON on stdin is an order, a line on stdout its answer; it ends with its stdin. Orders, by `do`:

join    {address, codes, people}     all come in -> {}
go      {seconds, rate, fetch}       they listen and watch, and each room has `rate` commands a second -> see `Crowd.go`
hear    {address, n}                 n sockets on a bare server -> {}
end     {late_s}                         what was heard of all there was -> see `Crowd.end`
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from sandbox.bench.warroom.heard import Missed, missed
from sandbox.bench.warroom.mix import COUNTED_S, commands, role_of
from sandbox.bench.warroom.page import fetched_ms
from sandbox.bench.warroom.participant import Participant, Tape

_UP_WITHIN_S = 30.0  # wall seconds: until everybody hears something
_FETCHES = 4  # first pages while the others are at it
_REFUSALS = 5  # that are told in words


class Crowd:
    """Who is in the rooms of one server."""

    def __init__(self) -> None:
        self.rooms: dict[str, list[Participant]] = {}
        self._talk: dict[str, Iterator[tuple[int, str, dict[str, Any]]]] = {}
        self._tape: Tape = []
        self._tasks: list[asyncio.Task[None]] = []
        self._said: dict[str, int] = {}
        self._bare: list[tuple[ClientConnection, asyncio.Task[None]]] = []
        self.bare_heard = 0

    async def join(self, address: str, codes: list[str], people: int) -> dict[str, Any]:
        self._address, clock = address, asyncio.get_running_loop().time
        for code in codes:
            room = self.rooms.setdefault(code, [])
            for n in range(len(room), people):
                tape = self._tape if not any(self.rooms.values()) else None
                one = Participant(address, code, f"participant {n + 1}", role_of(n), clock, tape)
                await one.join()
                room.append(one)
            self._talk[code] = commands(people)
            self._said.setdefault(code, 0)
        return {}

    async def go(self, seconds: float, rate: float, fetch: bool) -> dict[str, Any]:
        """{wall_s, received: bytes of all, latencies_ms: by kind, refused: how many, refusals: some in words, tape: what the
        first participant received, [seconds, text], pages_ms, seen_hz: how often a second the overview told somebody something
        new, pace: by room, world seconds that went by of those that were due, busy_s: processor seconds of this process}.
        """
        loop, done, people = asyncio.get_running_loop(), _Done(), self._everybody()
        await self._listen()
        before, worlds = sum(one.received for one in people), await self._worlds()
        seen = sum(one.seen for one in people)
        self._tape.clear()
        began, busy_s = loop.time(), time.process_time()
        giving = [asyncio.create_task(self._give(code, began, seconds, rate, done)) for code in self.rooms]
        if fetch:
            for n in range(_FETCHES):
                await asyncio.sleep(max(0.0, began + (n + 0.5) * seconds / _FETCHES - loop.time()))
                done.pages_ms.append(await fetched_ms(self._address, next(iter(self.rooms))))
        await asyncio.sleep(max(0.0, began + seconds - loop.time()))
        wall_s, busy_s = loop.time() - began, time.process_time() - busy_s
        received, tape = sum(one.received for one in people) - before, list(self._tape)
        seen_hz = (sum(one.seen for one in people) - seen) / wall_s / len(people)
        await asyncio.gather(*giving)
        await self._hang_up()
        return {
            "wall_s": wall_s, "received": received, "busy_s": busy_s, "pages_ms": done.pages_ms,
            "latencies_ms": done.latencies_ms, "refused": done.refused, "refusals": done.refusals, "seen_hz": seen_hz,
            "tape": [(at - began, text) for at, text in tape],
            "pace": _paces(worlds, await self._worlds()),
        }  # fmt: skip

    async def hear(self, address: str, n: int) -> dict[str, Any]:
        for _ in range(n):
            socket = await connect(address, max_size=None)
            self._bare.append((socket, asyncio.create_task(self._count(socket))))
        return {}

    async def end(self, late_s: float) -> dict[str, Any]:
        """{lost, doubled, reconnected, heard: events over all participants, bare_heard: texts over all sockets on the bare
        server, request_rate: what the stack served a wall second, None where nothing tells}."""
        total, loop = Missed(), asyncio.get_running_loop()
        await self._listen()
        until = loop.time() + late_s
        for code, room in self.rooms.items():
            upto = max(self._said[code], int((await room[0].state())["seq"]))
            while loop.time() < until and any(missed([one.seqs], upto).lost for one in room):
                await asyncio.sleep(0.05)
            total += missed((one.seqs for one in room), upto)
        await self._hang_up()
        first = next(iter(self.rooms.values()))[0]
        counted, world_rate = sorted(first.counted), float((await first.state())["room"]["world_rate"])
        return {
            "lost": total.lost, "doubled": total.doubled, "bare_heard": self.bare_heard,
            "reconnected": sum(one.reconnected for one in self._everybody()),
            "heard": sum(len(one.seqs) for one in self._everybody()),
            "request_rate": counted[len(counted) // 2] / COUNTED_S * world_rate if counted else None,
        }  # fmt: skip

    async def close(self) -> None:
        tasks = [*self._tasks, *(task for _, task in self._bare)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in self._everybody():
            one.http.close()

    async def _give(self, code: str, began: float, seconds: float, rate: float, done: _Done) -> None:
        """Commands at their times, whether or not earlier ones are answered: a slow server is given no rest."""
        loop, at_work = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        for n in range(int(seconds * rate)):
            due = began + (n + 0.5) / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            who, kind, fields = next(self._talk[code])
            at_work.add(asyncio.create_task(self._one(code, self.rooms[code][who], kind, fields, due, done)))
        await asyncio.gather(*at_work)

    async def _one(
        self, code: str, one: Participant, kind: str, fields: dict[str, Any], due: float, done: _Done
    ) -> None:
        seq, against = await one.give(kind, fields)
        if seq is None:
            done.refused += 1
            done.refusals = [*done.refusals, against][:_REFUSALS]
            return
        self._said[code] = max(self._said[code], seq)
        done.latencies_ms.setdefault(kind, []).append((asyncio.get_running_loop().time() - due) * 1000)

    async def _worlds(self) -> dict[str, tuple[float, float, float]]:
        """By room: wall seconds, world seconds, world seconds per wall second."""
        loop, found = asyncio.get_running_loop(), {}
        for code, room in self.rooms.items():
            told = (await room[0].state())["room"]
            found[code] = (loop.time(), float(told["world_ts"]), float(told["world_rate"]))
        return found

    def _everybody(self) -> list[Participant]:
        return [one for room in self.rooms.values() for one in room]

    async def _listen(self) -> None:
        """Returns when everybody hears something."""
        self._tasks = [asyncio.create_task(one.listen()) for one in self._everybody()]
        async with asyncio.timeout(_UP_WITHIN_S):
            await asyncio.gather(*(one.up.wait() for one in self._everybody()))

    async def _hang_up(self) -> None:
        """Raises what a stream failed at."""
        for task in self._tasks:
            task.cancel()
        for came in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(came, Exception):
                raise came

    async def _count(self, socket: ClientConnection) -> None:
        async for _ in socket:
            self.bare_heard += 1


class _Done:
    """What came of the commands of one go."""

    def __init__(self) -> None:
        self.latencies_ms: dict[str, list[float]] = {}
        self.pages_ms: list[float] = []
        self.refused, self.refusals = 0, list[str]()


def _paces(
    before: dict[str, tuple[float, float, float]], after: dict[str, tuple[float, float, float]]
) -> dict[str, float]:
    return {
        code: (now - then) / ((wall - since) * rate)
        for code, (since, then, rate) in before.items()
        for wall, now, _ in [after[code]]
        if wall > since and rate > 0
    }


async def _main() -> None:
    crowd, loop = Crowd(), asyncio.get_running_loop()
    try:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            answer = await getattr(crowd, order.pop("do"))(**order)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        with suppress(asyncio.CancelledError):
            await crowd.close()


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # whoever asked is gone
        asyncio.run(_main())
