"""The processes of a virtual run, and which instance of a service takes the next attempt of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sandbox.base.instances import split
from sandbox.virtual.machine.cores import Process
from sandbox.virtual.machine.loop import Loop
from services.skeleton.balancer import ROUND_ROBIN, pick


class Instances:
    """processes: by name, as sandbox.base.instances names them. handlers: of each. balancing: the policy of a
    service's calls."""

    def __init__(self, names: tuple[str, ...], handlers: int, loop: Loop) -> None:
        self.processes = {name: Process(name, handlers) for name in names}
        self.balancing: Callable[[str], str] = lambda caller: ROUND_ROBIN
        self._handlers, self._loop = handlers, loop
        self._there: dict[str, tuple[Process, ...]] = {}  # those of a service that can be called
        self._last: dict[tuple[str, str, str], str] = {}  # caller, callee, path -> instance that was called last
        for process in self.processes.values():
            self._there[process.service] = (*self._there.get(process.service, ()), process)

    def services(self) -> Iterator[str]:
        yield from self._there

    def of(self, service: str) -> tuple[Process, ...]:
        """Those of a service that can be called, in the order of their numbers."""
        return self._there[service]

    def next(self, caller: Process, callee: str, path: str) -> Process:
        """The one that takes an attempt, as services.skeleton.lines has it."""
        there = self._there[callee]
        if len(there) == 1:
            return there[0]
        edge, by_name = (caller.name, callee, path), {process.instance: process for process in there}
        self._last[edge] = pick(
            self.balancing(caller.service), list(by_name), self._last.get(edge, ""),
            lambda name: self._loop.now >= by_name[name].down_until,
        )  # fmt: skip
        return by_name[self._last[edge]]

    def forget_calls(self, caller: str) -> None:
        """A process that starts again has called nobody yet."""
        for edge in [edge for edge in self._last if edge[0] == caller]:
            del self._last[edge]

    def begin(self, name: str) -> Process:
        """One process more, which nobody calls before it `joins`."""
        self.processes[name] = Process(name, self._handlers)
        return self.processes[name]

    def joins(self, process: Process) -> None:
        """From now on it is called too."""
        there = (*self._there[process.service], process)
        self._there[process.service] = tuple(sorted(there, key=lambda p: split(p.name)[1]))

    def end(self, name: str) -> None:
        """Nobody calls it from now on; what it handles it brings to its end."""
        process = self.processes.pop(name)
        self._there[process.service] = tuple(p for p in self._there[process.service] if p is not process)
