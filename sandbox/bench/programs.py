"""Programs of the bench: each a process of its own that takes orders and ends with whoever started it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.runtime.local.processes import child_environment

_END_S = 10.0  # wall seconds to close what it has open


class Program:
    """A module that answers each line of JSON on its stdin by one on its stdout."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment or child_environment(),
            start_new_session=True,  # Ctrl-C at the terminal is the bench's to answer
        )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, **order: Any) -> Any:
        """Raises RUN-008 when it ends instead."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        return self.told()

    def told(self) -> Any:
        """Its next line. Raises RUN-008."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise failed(self._module, f"it ended with {self._process.wait(_END_S)}: what it said is above")
        return json.loads(line)

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextmanager
def program(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Ends with this, however that is."""
    started = Program(module, *arguments, environment=environment)
    try:
        yield started
    finally:
        started.end()


def failed(what: str, seen: str) -> SandboxError:
    return SandboxError(
        "RUN-008", where=f"bench, {what}", seen=seen, expected="a measurement",
        fix="run it again; if it stays: start by hand what is measured, sandbox up or sandbox room start",
    )  # fmt: skip
