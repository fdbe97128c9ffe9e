"""The gates of virtual processes, whose documents limit how many calls they have in flight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from sandbox.base.config import Config
from sandbox.virtual.machine.cores import Process
from sandbox.virtual.machine.loop import Loop
from services.skeleton.gate import Gate


class Gates:
    """log: takes a process, a level, a text and fields."""

    def __init__(self, processes: Mapping[str, Process], loop: Loop, log: Callable[..., None]) -> None:
        self._processes, self._loop, self._log = processes, loop, log
        self._config = Config()

    def configure(self, config: Config) -> None:
        """As a live process does with its own, services.skeleton.host.Host.set_gate."""
        self._config = config
        for process in self._processes.values():
            self.enter(process)

    def enter(self, process: Process) -> None:
        """A process has the gate that its service's document speaks of; one that it has goes on."""
        wanted = self._config.concurrency(process.service)
        if wanted is None or process.gate is None:
            process.gate = None if wanted is None else self._new(process)
        else:
            process.gate.follow(wanted, self._loop.now)

    def forget(self, process: Process) -> None:
        """One that starts again has found nothing out yet."""
        if process.gate is not None:
            process.gate = self._new(process)

    def _new(self, process: Process) -> Gate:
        settings = self._config.concurrency(process.service)
        assert settings is not None, "a process has a gate where its document speaks of one"
        return Gate(settings, self._loop.now, partial(self._log, process.name))
