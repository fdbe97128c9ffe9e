"""A process of `work`, from the server's side: started, asked, ended with the thread or the server that has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.room import house

_PROGRAM = "sandbox.room.authoring.work"
LOG = "authoring.log"  # in SANDBOX_HOME/rooms
_MOST_LOG = 1_000_000  # bytes, then it begins anew
_TIDY_S = 5.0  # wall seconds to put away what is half done


class Process:
    """Started by a thread that lives as long: the kernel ends the process with that thread. program: a stand-in, for tests."""

    def __init__(self, program: str = _PROGRAM) -> None:
        place = house.root()
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = place / LOG
        with suppress(OSError):
            if log.stat().st_size > _MOST_LOG:
                log.unlink()
        with log.open("ab") as errors:
            # A session of its own: Ctrl-C at the terminal is the server's to answer, and all of it ends together.
            self._process = subprocess.Popen(
                [sys.executable, "-m", program, str(os.getpid())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True, text=True,
            )  # fmt: skip

    def ask(self, request: dict[str, Any], progress: ProgressFn = quiet) -> Any:
        """The answer, once there is one. Raises what the process raises, RUN-003 where it ends without an answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            told = json.loads(line)
            if "problem" in told:
                raise SandboxError.of_json(told["problem"])
            if "answer" in told:
                return told["answer"]
            progress(told["what"], told["share"])
        raise SandboxError(
            "RUN-003", where="the author's process", seen=f"exit code {self._process.wait()}", expected="an answer",
            fix=f"try again; SANDBOX_HOME/rooms/{LOG} says more",
        )  # fmt: skip

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self, *, tidy: bool = False) -> None:
        """With all that it has started. tidy: with a moment to put away what is half done."""
        if tidy and self.is_alive:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_TIDY_S)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
