"""The upkeep of a virtual store: commands on keys that lie beside the rows, and the time that each takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.instances import named
from sandbox.base.rows import row_of
from sandbox.runtime.upkeep import noted, noted_failure, upkeep_call
from sandbox.virtual.machine.fabric import Fabric
from sandbox.virtual.machine.loop import Task
from sandbox.virtual.processes.store import Store
from services.skeleton.points import MATERIALISER
from services.skeleton.replica import HELD
from services.skeleton.seams import Call

SLOW_S = 0.01  # from here on a command stands in Redis' own log of slow ones


class Upkeep:
    """sandbox.runtime.upkeep in the loop's time."""

    def __init__(self, fabric: Fabric, store: Store) -> None:
        self._fabric, self._store, self._seams = fabric, store, fabric.seams[MATERIALISER]
        self._n = 0

    def once(self) -> Task | None:
        """One round, where anything is to be done in it."""
        self._n += 1
        return self._fabric.loop.spawn(self._round(upkeep_call(self._n))) if self._seams.store else None

    async def _round(self, call: Call) -> None:
        log = partial(self._fabric.log, MATERIALISER)
        try:
            noted(log, await self._fabric.through(self._seams.store, call, self._done))
        except SandboxError as error:
            noted_failure(log, error)

    async def _done(self, call: Call) -> int:
        for words in call.payload:
            self._store.require("upkeep")
            took_s = self._seconds(words)
            await self._fabric.burst(self._fabric.processes["redis"], took_s)
            self._store.n_commands += 1
            self._note(words, took_s)
        return len(call.payload)

    def _seconds(self, words: Sequence[Any]) -> float:
        """Carries the command out; how long the store answers nobody else. Raises STORE-001 for one that this
        store does not have."""
        lists, cost = self._store.lists, self._fabric.timing.elements
        name, key = str(words[0]), str(words[1])
        if name == "SET" and key == HELD:
            self._store.hold_replica(float(words[2]) / 1000)
            return 0.0
        if name == "SET" and len(words) in (3, 5):  # with PX, or without an end
            self._store.keep(key, len(words[2]), float(words[4]) / 1000 if len(words) == 5 else None)
            return len(words[2]) / 1024 * cost.kept_us / 1e6
        rest = [str(word) for word in words[2:]]
        if name == "RPUSH":
            lists[key] = lists.get(key, 0) + len(rest)
            return len(rest) * cost.pushed_us / 1e6
        if name == "LTRIM" and rest == ["1", "0"]:  # all of it
            lists.pop(key, None)
            return 0.0
        if name == "SORT":
            return lists.get(key, 0) * cost.sorted_us / 1e6
        raise SandboxError(
            "STORE-001",
            where="virtual store, upkeep",
            seen=name,
            expected="SET of a value, RPUSH or SORT of a list, or LTRIM of all of it",
            fix="model the command there, with the time that it takes",
        )

    def _note(self, words: Sequence[Any], took_s: float) -> None:
        record = self._fabric.record
        if record is not None and took_s >= SLOW_S:
            record("collector", "redis_slowlog", row_of.redis_slowlog(
                ts=self._fabric.world.now(), node=named("redis"), command=str(words[0]), key=str(words[1]),
                n_words=min(len(words), 32), dur_ms=took_s * 1000,
            ))  # fmt: skip
