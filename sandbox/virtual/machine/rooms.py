"""The room of each virtual process: as services.skeleton.keeper gives it to a live one."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator, Mapping
from functools import partial

from sandbox.base.config import Config
from sandbox.virtual.machine.cores import Cores, Process
from services.skeleton.room import TICK_S, Room
from services.skeleton.room_request import RoomRequest
from services.skeleton.seams import Seams


class Rooms:
    """By service: what is put on its point `process` holds for each of its instances. given: handlers by the machine,
    where settings say nothing. log: takes a service, a level, a text and fields."""

    def __init__(
        self, processes: Mapping[str, Process], seams: Mapping[str, Seams], cores: Cores, given: int,
        log: Callable[..., None],
    ) -> None:  # fmt: skip
        self._processes, self._seams, self._cores, self._loop, self._given = processes, seams, cores, cores.loop, given
        self._usual = dict.fromkeys(seams, Room(given))
        self._rooms = dict(self._usual)
        self._asking = {service: RoomRequest(of, service, partial(log, service)) for service, of in seams.items()}
        self._ticking: set[str] = set()
        for service, of in seams.items():
            of.process.changed = partial(self._changed, service)

    def configure(self, config: Config) -> None:
        """The settings give each process so many handlers."""
        for service in self._usual:
            self._usual[service] = Room(config.handlers(service, self._given))
            self._ask(service)

    def enter(self, process: Process) -> None:
        """A process that has come to be gets the room of its service."""
        self._give(process)

    def _changed(self, service: str) -> None:
        self._ask(service)
        if self._seams[service].process and service not in self._ticking:
            self._ticking.add(service)
            self._loop.at(self._loop.now + TICK_S, self._tick, service)

    def _tick(self, service: str) -> None:
        if not self._seams[service].process:
            self._ticking.discard(service)
            return
        self._ask(service)
        self._loop.at(self._loop.now + TICK_S, self._tick, service)

    def _ask(self, service: str) -> None:
        usual, armed = self._usual[service], bool(self._seams[service].process)
        room = self._rooms[service] = self._asking[service].room(usual) if armed else usual
        self._cores.neighbours = sum(of.neighbours for of in self._rooms.values())
        for process in [of for of in self._processes.values() if of.service == service]:
            self._give(process)
            if room.collector_s:
                self._loop.spawn(self._collect(process, room.collector_s))

    def _give(self, process: Process) -> None:
        room = self._rooms[process.service]
        process.room = room if self._seams[process.service].process else None
        process.handlers = room.handlers
        while process.waiting and process.inflight < process.handlers:
            process.inflight += 1
            self._loop.fire(process.waiting.popleft())

    async def _collect(self, process: Process, seconds: float) -> None:
        await _burst(self._cores, process, seconds)
        process.collector_s += seconds


@types.coroutine
def _burst(cores: Cores, process: Process, seconds: float) -> Generator[None, None, None]:
    if cores.line_up(process, seconds):
        yield
