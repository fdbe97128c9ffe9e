"""The processes of a virtual run as a supervisor keeps them on a live one: as many of a service as its document says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.base.config import Config
from sandbox.base.instances import instances, meant, process_of
from sandbox.virtual.machine.cores import Process
from sandbox.virtual.machine.fabric import Fabric

Note = Callable[[Process, str, int | None], None]  # process, event, exit code


class Fleet:
    """note: takes what happens to a process, as process_events tells it."""

    def __init__(self, fabric: Fabric, note: Note) -> None:
        self.fabric, self._note = fabric, note

    def named(self, name: str) -> list[str]:
        """The processes that a service's name, or one process's, stands for. Raises RUN-007 for what does not run."""
        return meant(name, self.fabric.processes, "virtual stack")

    def configure(self, config: Config) -> None:
        """As many instances, and handlers in each, as the documents say."""
        self.follow(config.replicas)
        self.fabric.rooms.configure(config)
        self.fabric.gates.configure(config)

    def follow(self, replicas: Mapping[str, int]) -> None:
        """So many instances of each service: further ones start, and are called once they are up; of too many the
        last are called no more, and end when they have answered."""
        for service, n in replicas.items():
            there, wanted = self.named(service), [process_of(name) for name in instances(service, n)]
            for name in there:
                if name not in wanted:
                    self._note(self.fabric.processes[name], "stopped", 0)
                    self.fabric.instances.end(name)
            for name in wanted:
                if name not in there:
                    self._begin(name)

    def stop(self, name: str, then: Callable[[Process], None]) -> Process:
        """It is away for as long as a restart takes. then: called when it is back."""
        fabric, process = self.fabric, self.fabric.processes[name]
        process.down_until = fabric.loop.now + fabric.timing.restart(process.service)
        fabric.forget_calls(name)
        fabric.gates.forget(process)
        self._note(process, "stopped", 0)

        def back() -> None:
            process.started = fabric.loop.now
            self._note(process, "restarted", None)
            self._note(process, "ready", None)
            then(process)

        fabric.loop.at(process.down_until, back)
        return process

    def _begin(self, name: str) -> None:
        fabric, process = self.fabric, self.fabric.instances.begin(name)
        fabric.rooms.enter(process)
        fabric.gates.enter(process)
        process.started = fabric.loop.now
        process.down_until = fabric.loop.now + fabric.timing.restart(process.service)
        self._note(process, "started", None)

        def up() -> None:
            if fabric.processes.get(name) is process:  # it may have been given up meanwhile
                self._note(process, "ready", None)
                fabric.instances.joins(process)

        fabric.loop.at(process.down_until, up)
