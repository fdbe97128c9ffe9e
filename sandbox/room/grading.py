"""Grades a drill that is over in a process of its own: rooms go on meanwhile, and a server that ends waits for nothing.

As a program: `python -m sandbox.room.grading DIRECTORY PARENT [--twin]` prints the grade of the drill in that directory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Protocol

from sandbox.base.errors import SandboxError
from sandbox.drill.play.by_hand import AsPlanned
from sandbox.drill.play.drills import Drill


class Grader(Protocol):
    """What a drill that is over came to."""

    def __call__(self, drill: Drill) -> dict[str, Any]: ...
    def close(self) -> None:
        """Ends what is at work; whoever waits for it is refused."""
        ...


class GradedApart:
    """A `Grader`. twin: whether the grade is by the drill's twin, which takes minutes of two cores."""

    def __init__(self, twin: bool) -> None:
        self._twin = twin
        self._process: subprocess.Popen[bytes] | None = None
        self._turn, self._closed = threading.Lock(), False

    def __call__(self, drill: Drill) -> dict[str, Any]:
        """Raises RUN-003 when its process ends without a grade."""
        command = [sys.executable, "-m", __name__, str(drill.directory), str(os.getpid()), *["--twin"] * self._twin]
        with (drill.directory / "grading.log").open("ab") as log, self._turn:
            if self._closed:
                raise _no_grade(drill, "a server that ends")
            # A session of its own: Ctrl-C at the terminal is the server's to answer.
            self._process = process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        told, _ = process.communicate()
        if process.returncode != 0:
            raise _no_grade(drill, f"exit code {process.returncode}")
        document: dict[str, Any] = json.loads(told)
        return document

    def close(self) -> None:
        with self._turn:
            self._closed = True
            if self._process is not None:
                self._process.kill()  # its own workers are tied to it


def _no_grade(drill: Drill, seen: str) -> SandboxError:
    return SandboxError(
        "RUN-003", where="grading", seen=seen, expected="a grade",
        fix=f"see {drill.directory / 'grading.log'}; it is tried again when the room is taken up",
    )  # fmt: skip


def _main(directory: str, parent: str, *options: str) -> None:
    from sandbox.drill.grading.outcome import outcome
    from sandbox.runtime.tether import tether

    tether(int(parent))
    found = outcome(AsPlanned(Path(directory)), twin="--twin" in options)  # its twin has no instructor's hand
    sys.stdout.write(json.dumps(found, default=lambda value: value.item() if hasattr(value, "item") else str(value)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
