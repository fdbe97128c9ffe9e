"""Objects that are asked for one step after another: in this process, or each in one of its own."""

from __future__ import annotations

import contextlib
import signal
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

from sandbox.base.errors import SandboxError
from sandbox.runtime.spawning import WithoutMain


class Worker(Protocol):
    """Every `start` is followed by `result` before the next one."""

    def start(self, step: str, *arguments: Any) -> None: ...
    def result(self) -> Any: ...
    def close(self) -> None: ...


def all_of(workers: Sequence[Worker], step: str, *arguments: Any) -> list[Any]:
    """One step of every worker, side by side. Raises what the first that failed raised."""
    for worker in workers:
        worker.start(step, *arguments)
    return [worker.result() for worker in workers]


class Here:
    """In this process. make: builds the object from the argument, when the first step is asked for; its
    methods are the steps."""

    def __init__(self, make: Callable[[Any], Any], argument: Any) -> None:
        self._make, self._argument = make, argument
        self._object: Any = None
        self._result: Any = None

    def start(self, step: str, *arguments: Any) -> None:
        self._object = self._object or self._make(self._argument)
        self._result = getattr(self._object, step)(*arguments)

    def result(self) -> Any:
        return self._result

    def close(self) -> None:
        """Nothing is held."""


class Apart:
    """In a process of its own, which ends when this one does, however it ends.

    make: a function of a module, as it is called over there; arguments and results are pickled.
    """

    def __init__(self, make: Callable[[Any], Any], argument: Any) -> None:
        # Not a fork: torch's threads would not live through it.
        context = WithoutMain()
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far,), daemon=True)
        # Ctrl-C goes to every process of a terminal: only this one is to hear it, and then ends the other.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        far.close()
        # Not an argument of the process: starting it would wait until what it needs is imported.
        self._send((make, argument))

    def start(self, step: str, *arguments: Any) -> None:
        self._send((step, arguments))

    def result(self) -> Any:
        try:
            ok, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(1.0)
            raise SandboxError(
                "RUN-008",
                where="a process of the simulation",
                seen=f"it ended: {self._process.exitcode}",
                expected="an answer",
                fix="free some memory, or take fewer users",
            ) from error
        if not ok:
            raise SandboxError(**value) if isinstance(value, dict) else value
        return value

    def _send(self, what: tuple[Any, ...]) -> None:
        with contextlib.suppress(BrokenPipeError):  # `result` says what became of it
            self._pipe.send(what)

    def close(self) -> None:
        """At once: what it was doing is of no use any more."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()


def _serve(pipe: Connection) -> None:
    made: Any = None
    try:
        make, argument = pipe.recv()
    except (EOFError, OSError):
        return
    while True:
        try:
            step, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            made = made or make(argument)
            answer = (True, getattr(made, step)(*arguments))
        except Exception as error:  # the edge of a process: the other one raises it
            answer = (False, _sendable(error))
        try:
            pipe.send(answer)
        except OSError:
            return


def _sendable(error: Exception) -> Any:
    """What can go through a pipe: the parts of a SandboxError, or another exception."""
    if isinstance(error, SandboxError):
        return {
            "code": error.kind.code,
            "where": error.where,
            "seen": str(error.seen),
            "expected": error.expected,
            "fix": error.fix,
        }
    if isinstance(error, OSError):
        return error
    return RuntimeError("".join(traceback.format_exception(error))[-2_000:])
