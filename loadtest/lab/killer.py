"""Kills a process of the stack every few seconds while a load runs, as life does, with no time to say goodbye."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.run import load_services
from sandbox.base.streams import stream

SUPERVISOR = "supervisor"  # it brings the others back


@dataclass
class Killer:
    """every_s: seconds between two kills. which: services, or all that run but the supervisor where none is named. Who dies is
    drawn by the seed among those that are up. killed: [{at_s, process}]."""

    run_dir: Path
    every_s: float
    seed: int = 1
    which: tuple[str, ...] = ()
    killed: list[dict[str, Any]] = field(default_factory=list)
    _due_s: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.every_s <= 3_600:
            raise SandboxError(
                "CFG-004",
                where="load run --kill-every",
                seen=self.every_s,
                expected="1 to 3600 seconds",
                fix="correct it",
            )
        there = {s.name for s in load_services(self.run_dir)} - {SUPERVISOR}
        if unknown := set(self.which) - there:
            raise SandboxError(
                "CFG-004", where="load run --kill", seen=", ".join(sorted(unknown)), expected=f"of {', '.join(sorted(there))}",
                fix="see `sandbox status`",
            )  # fmt: skip
        self._due_s = self.every_s
        self._luck = stream(self.seed, "load/killer")

    def look(self, at_s: float) -> None:
        """Called again and again. at_s: seconds since the load began."""
        if at_s < self._due_s:
            return
        self._due_s = at_s + self.every_s
        up = sorted(
            (s.instance, s.pid)
            for s in load_services(self.run_dir)
            if s.name != SUPERVISOR and s.state == "ready" and s.pid and (not self.which or s.name in self.which)
        )
        if not up:
            return
        process, pid = up[int(self._luck.integers(len(up)))]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.killed.append({"at_s": round(at_s, 1), "process": process})
