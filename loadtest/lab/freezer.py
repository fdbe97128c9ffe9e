"""A service that stands still for a while under load: it takes calls and answers none. Coordinated omission shows by it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.run import load_services


@dataclass
class Freezer:
    """at_s: seconds of the load at which all instances of `service` are stopped, for `seconds`. frozen: [{at_s, process, seconds}], as
    it really was."""

    run_dir: Path
    service: str
    seconds: float
    at_s: float
    frozen: list[dict[str, Any]] = field(default_factory=list)
    _held: dict[str, int] = field(default_factory=dict)
    _since_s: float = 0.0
    _done: bool = False

    @classmethod
    def of(cls, text: str, run_dir: Path, load_s: float) -> Freezer:
        """From SERVICE:SECONDS, at a third of a load of load_s. Raises CFG-004 for what is none."""
        service, _, length = text.partition(":")
        there = sorted({s.name for s in load_services(run_dir)} - {"supervisor"})
        try:
            seconds = float(length)
        except ValueError:
            seconds = 0.0
        if service not in there or not 0.1 <= seconds <= load_s / 2:
            raise SandboxError(
                "CFG-004", where="load run --freeze", seen=text,
                expected=f"SERVICE:SECONDS, .1 to half of the load's, of {', '.join(there)}", fix="as gateway:1.5",
            )  # fmt: skip
        return cls(run_dir, service, seconds, load_s / 3)

    def look(self, at_s: float) -> None:
        """Called again and again. at_s: seconds since the load began."""
        if self._held and at_s >= self._since_s + self.seconds:
            self.thaw(at_s)
        elif not self._held and not self._done and at_s >= self.at_s:
            self._since_s, self._done = at_s, True
            for s in load_services(self.run_dir):
                if s.name == self.service and s.pid:
                    self._held[s.instance] = s.pid
                    _send(s.pid, signal.SIGSTOP)

    def thaw(self, at_s: float | None = None) -> None:
        """Lets go whatever is held."""
        for process, pid in self._held.items():
            _send(pid, signal.SIGCONT)
            lasted = self.seconds if at_s is None else at_s - self._since_s
            self.frozen.append({"at_s": round(self._since_s, 1), "process": process, "seconds": round(lasted, 2)})
        self._held.clear()

    @contextmanager
    def sure(self) -> Iterator[None]:
        """Nothing stays frozen, whatever happens."""
        try:
            yield
        finally:
            self.thaw()


def _send(pid: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, sign)
