"""What a long load does to the processes that bear it: memory and open files, sample by sample."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from loadtest.lab.slope import told
from sandbox.base.run import load_services

MB_PER_H = 10.0  # of memory: a day of it is less than what a release may take
FILES_PER_H = 1.0


@dataclass
class Watch:
    """every_s: seconds between samples. seen: process -> rows (seconds, MB resident, open files) of its present pid. restarts: by
    process."""

    run_dir: Path
    every_s: float
    seen: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    _pids: dict[str, int] = field(default_factory=dict)
    _due_s: float = 0.0

    def look(self, at_s: float) -> None:
        """Called again and again. at_s: seconds since the load began."""
        if at_s < self._due_s:
            return
        self._due_s = at_s + self.every_s
        for service in load_services(self.run_dir):
            if service.pid:
                with suppress(psutil.Error):
                    process = psutil.Process(service.pid)
                    self.take(service.instance, service.pid, at_s, process.memory_info().rss / 2**20, process.num_fds())

    def take(self, process: str, pid: int, at_s: float, rss_mb: float, files: int) -> None:
        """One sample. A process that came back begins anew: it is another one's memory."""
        if self._pids.get(process, pid) != pid:
            self.restarts[process] = self.restarts.get(process, 0) + 1
            self.seen[process] = []
        self._pids[process] = pid
        self.seen.setdefault(process, []).append((at_s, rss_mb, float(files)))

    def document(self) -> dict[str, Any]:
        """{process: {samples, restarts, rss_mb, files}}, the last two as `slope.told` has them."""
        found = {}
        for process, rows in sorted(self.seen.items()):
            at_s, rss_mb, files = np.array(rows, np.float64).reshape(-1, 3).T
            found[process] = {
                "samples": len(rows), "restarts": self.restarts.get(process, 0),
                "rss_mb": told(at_s, rss_mb, MB_PER_H), "files": told(at_s, files, FILES_PER_H),
            }  # fmt: skip
        return found
