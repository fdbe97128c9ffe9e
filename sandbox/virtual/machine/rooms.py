"""The room of each virtual process: as services.skeleton.keeper gives it to a live one."""

from __future__ import annotations

import types
from collections.abc import Callable, Generator, Mapping
from functools import partial

from sandbox.base.config import Config, Hosted
from sandbox.virtual.machine.cores import Cores, Process
from services.skeleton.asking import Asking
from services.skeleton.room import TICK_S, Room
from services.skeleton.seams import Seams


class Rooms:
    """log: takes a service, a level, a text and fields."""

    def __init__(
        self, processes: Mapping[str, Process], seams: Mapping[str, Seams], cores: Cores, log: Callable[..., None]
    ) -> None:
        self._processes, self._seams, self._cores, self._loop = processes, seams, cores, cores.loop
        self._usual = {name: Room(process.handlers) for name, process in processes.items()}
        self._given = dict(self._usual)  # by the machine, where settings say nothing
        self._asking = {name: Asking(of, name, partial(log, name)) for name, of in seams.items()}
        self._ticking: set[str] = set()
        for name, of in seams.items():
            of.process.changed = partial(self._changed, name)

    def configure(self, config: Config) -> None:
        """The settings give each process so many handlers."""
        for name, room in self._given.items():
            document = getattr(config, name, None)
            handlers = document.max_handlers if isinstance(document, Hosted) else None
            self._usual[name] = Room(handlers) if handlers is not None else room
            self._ask(name)

    def _changed(self, name: str) -> None:
        self._ask(name)
        if self._seams[name].process and name not in self._ticking:
            self._ticking.add(name)
            self._loop.at(self._loop.now + TICK_S, self._tick, name)

    def _tick(self, name: str) -> None:
        if not self._seams[name].process:
            self._ticking.discard(name)
            return
        self._ask(name)
        self._loop.at(self._loop.now + TICK_S, self._tick, name)

    def _ask(self, name: str) -> None:
        process, usual = self._processes[name], self._usual[name]
        armed = bool(self._seams[name].process)
        room = self._asking[name].room(usual) if armed else usual
        process.room = room if armed else None
        process.handlers = room.handlers
        rooms = (of.room for of in self._processes.values() if of.room is not None)
        self._cores.neighbours = sum(of.neighbours for of in rooms)
        if room.collector_s:
            self._loop.spawn(self._collect(process, room.collector_s))
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
