"""The instances of services as callers look them up: what the supervisor tells of those that can be called."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sandbox.base.errors import SandboxError
from sandbox.base.run import ENDPOINTS, load_endpoints


class Directory:
    """Of the run in that directory. Where nobody tells, as in containers, it knows of none."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._told: dict[str, dict[str, str]] = {}
        self._written = 0  # when what was told last was, ns
        self.changed()

    def instances(self, service: str) -> dict[str, str]:
        """Instance -> address; empty where it knows of none."""
        return self._told.get(service, {})

    def changed(self) -> bool:
        """Whether something else is told than at the last look. A look costs some microseconds."""
        with suppress(SandboxError, OSError):  # what was known before stands, the next look tells
            written = (self._run_dir / ENDPOINTS).stat().st_mtime_ns
            if written != self._written:
                self._told, self._written = load_endpoints(self._run_dir), written
                return True
        return False
