"""What is run on the store beside serving, once a wall second: nothing, unless something has been put there.

It goes out from the process of the batch job, over a connection of its own, so that nobody but the store itself
makes those who serve wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.base.errors import SandboxError
from services.skeleton.points import MATERIALISER
from services.skeleton.seams import Call, Seams
from services.skeleton.store import FAILURES, Store, unreachable

EVERY_S = 1.0  # wall seconds
Log = Callable[..., None]


def upkeep_call(n: int) -> Call:
    """What passes the store seam. n: number of the round."""
    return Call("store", MATERIALISER, "redis", "upkeep", position=n, payload=())


def noted(log: Log, n: int) -> None:
    """A round that ran something leaves a line. n: commands."""
    if n:
        log("info", "upkeep of the store", commands=n)


def noted_failure(log: Log, error: SandboxError) -> None:
    log("error", "upkeep of the store failed", code=error.kind.code)


class Upkeep:
    """store: a client that nobody else uses. log: level, text and fields of a line."""

    def __init__(self, store: Store, seams: Seams, log: Log) -> None:
        self.store, self.seams, self._log = store, seams, log
        self._n = 0

    async def serve(self) -> None:
        """Until it is cancelled."""
        wall = self.seams.wall
        while True:
            await wall.wait_until(wall.now() + EVERY_S)
            await self.once()

    async def once(self) -> None:
        """One round, where anything is to be done in it."""
        self._n += 1
        if not self.seams.store:
            return
        try:
            noted(self._log, await self.seams.store.run(upkeep_call(self._n), self._done))
        except SandboxError as error:
            noted_failure(self._log, error)

    async def _done(self, call: Call) -> int:
        """Runs the commands. Returns how many."""
        words: tuple[Any, ...]
        for words in call.payload:
            try:
                await self.store.command(*words)
            except FAILURES as error:
                raise unreachable(f"upkeep, {words[0]}", error) from error
        return len(call.payload)
