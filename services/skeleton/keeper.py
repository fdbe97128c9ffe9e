"""Gives a live process its room, and takes it back: the handlers of its pool, and its part of the processor."""

from __future__ import annotations

import asyncio

from services.skeleton.burden import Burden
from services.skeleton.context import Context
from services.skeleton.pool import Pool
from services.skeleton.room import TICK_S, Room
from services.skeleton.room_request import RoomRequest
from services.skeleton.seams import Place, Seams
from services.skeleton.telemetry import Telemetry


class Keeper:
    """room: what the process has now."""

    def __init__(self, name: str, seams: Seams, pool: Pool, telemetry: Telemetry) -> None:
        self.pool, self.room, self._telemetry = pool, Room(pool.size), telemetry
        self._burden = Burden(self._throttled)
        self._usual, self._asking, self._seam = self.room, RoomRequest(seams, name, telemetry.log), seams.process
        self._ticking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """From now on what is put on the point `process` has its effect. In the process's event loop."""
        self._seam.changed = self._changed
        self._changed()

    def settle(self, handlers: int) -> None:
        """So many handlers are what the settings give it."""
        self._usual = Room(handlers)
        self._ask()

    def held_s(self, op: str, context: Context) -> float:
        """Wall seconds for which this call keeps its handler without working."""
        return self.room.held_s(op, Place(context.user, context.session, context.depth, context.region))

    def stop(self) -> None:
        """Nothing of what held the process up outlives it."""
        self._seam.changed = None
        if self._ticking is not None:
            self._ticking.cancel()
        self._give(self._usual)

    def _changed(self) -> None:
        self._ask()
        if self._seam and (self._ticking is None or self._ticking.done()):
            self._ticking = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        while self._seam:
            await asyncio.sleep(TICK_S)
            self._ask()

    def _ask(self) -> None:
        self._give(self._asking.room(self._usual) if self._seam else self._usual)

    def _give(self, room: Room) -> None:
        self.room = room
        self.pool.resize(room.handlers)
        self._burden.give(room)

    def _throttled(self, ms: float) -> None:
        self._telemetry.throttled_ms += ms
