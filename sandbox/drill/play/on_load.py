"""What a drill has armed in the load generator: nobody but the drill's driver starts that again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.base.errors import SandboxError

_AWAY = ("RUN-001", "WIRE-004")  # no process there, or none that answers yet


class OnLoad:
    """Keeps what is armed, for a load that began anew and bears nothing.

    ask: sends one order, as sandbox.runtime.arming.control.ask with the socket. now: world seconds.
    """

    def __init__(self, ask: Callable[..., dict[str, Any]], now: Callable[[], float]) -> None:
        self._ask, self._now = ask, now
        self._armed: dict[str, dict[str, Any]] = {}
        self._due = False  # something armed that the load may not bear

    def arm(self, name: str, spec: dict[str, Any]) -> None:
        """Raises what the load answers. One that is away gets it from `settle`."""
        since = spec.get("since")
        # Written down now: put on once more, its onset must not begin again.
        self._armed[name] = {**spec, "since": self._now() if since is None else since}
        self._due = True
        try:
            self.settle()
        except SandboxError:
            del self._armed[name]
            raise

    def disarm(self, name: str) -> None:
        self._armed.pop(name, None)
        try:
            self._ask("disarm", id=name)
        except SandboxError as error:
            if error.kind.code != "RUN-001":  # a process that is gone took it along
                raise

    def began_anew(self) -> None:
        """The load was started again."""
        self._due = bool(self._armed)

    def settle(self) -> list[str]:
        """Puts on what the load lacks, as soon as it answers. Returns the ids put on now."""
        if not self._due:
            return []
        try:
            there = self._ask("list")["ids"]
            lacking = [name for name in self._armed if name not in there]
            for name in lacking:
                self._ask("arm", id=name, **self._armed[name])
        except SandboxError as error:
            if error.kind.code not in _AWAY:
                raise
            return []
        self._due = False
        return lacking
