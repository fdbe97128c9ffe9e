"""Asks a process of its own what scenarios hold: YAML of 20,000 values takes seconds, and rooms tick meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.room.authoring.processes import Process

_WAITING = 8  # requests at once; more than an author and a few tabs ever ask
_ANSWER_S = 240.0  # wall seconds: the first reads the whole pack, at low priority, beside ten rooms on two cores


class Reader:
    """One process, started with the first request and asked one thing at a time. make: starts it."""

    def __init__(self, make: Callable[[], Process] = Process, answer_s: float = _ANSWER_S) -> None:
        self._make, self._answer_s = make, answer_s
        self._thread = ThreadPoolExecutor(1, "author")  # the kernel ends the process with the thread that started it
        self._room = threading.Semaphore(_WAITING)
        self._process: Process | None = None
        self._closed = False
        self._turn = threading.Lock()
        self._asks: dict[str, Future[Any]] = {}  # those that can be stopped, by their ticket
        self._at_work, self._stopped = "", set[str]()

    def ask(self, do: str, ticket: str = "", **fields: Any) -> Any:
        """ticket: by which it can be stopped; empty for none. Raises what the process raises; ROOM-005 where too many ask or
        it takes too long; ROOM-003 where it was stopped, or there is one of that ticket; RUN-003 where the process dies."""
        if not self._room.acquire(blocking=False):
            raise SandboxError(
                "ROOM-005",
                where="scenarios",
                seen=f"{_WAITING} requests that wait",
                expected="fewer at once",
                fix="try again",
            )
        answer: Future[Any] | None = None
        try:
            with self._turn:
                if ticket in self._asks:
                    raise _not_now(do, "one of that ticket, which is at work still", "a ticket for each")
                try:
                    answer = self._thread.submit(self._asked, {"do": do, **fields}, ticket)
                except RuntimeError:  # it takes nothing more: it was closed
                    raise _ends() from None
                if ticket:
                    self._asks[ticket] = answer
            return answer.result()
        except CancelledError:
            raise _not_now(do, "it was stopped", "one that goes on") from None
        finally:
            with self._turn:
                if answer is not None and self._asks.get(ticket) is answer:
                    del self._asks[ticket]
                    self._stopped.discard(ticket)
            self._room.release()

    def stop(self, ticket: str) -> bool:
        """Ends what was asked with that ticket, with its process if it is at work; whoever waits is refused. Whether there was
        one."""
        with self._turn:
            answer = self._asks.get(ticket)
            if answer is None or answer.cancel():
                return answer is not None
            self._stopped.add(ticket)
            if self._at_work == ticket and self._process is not None:
                self._process.end()
            return True

    def close(self) -> None:
        """Whoever waits for an answer is refused."""
        self._closed = True
        if self._process is not None:
            self._process.end()
        self._thread.shutdown(wait=True)

    def _asked(self, request: dict[str, Any], ticket: str) -> Any:
        if self._closed:
            raise _ends()
        if self._process is None or not self._process.is_alive:
            self._process = self._make()
        process, late = self._process, threading.Event()

        def give_up() -> None:
            late.set()
            process.end()

        watch = threading.Timer(self._answer_s, give_up)
        watch.start()
        try:
            with self._turn:
                self._at_work = ticket
                if ticket in self._stopped:
                    raise _ends()
            return process.ask(request)
        except SandboxError:
            if ticket in self._stopped:
                raise _not_now(str(request["do"]), "it was stopped", "one that goes on") from None
            if late.is_set():
                raise SandboxError(
                    "ROOM-005", where=f"scenarios, {request['do']}", seen=f"no answer within {self._answer_s:g} s",
                    expected="a scenario that is read in less", fix="make it smaller, or try again on a quieter machine",
                ) from None  # fmt: skip
            raise
        finally:
            watch.cancel()
            with self._turn:
                self._at_work = ""


def _not_now(do: str, seen: str, expected: str) -> SandboxError:
    return SandboxError("ROOM-003", where=f"scenarios, {do}", seen=seen, expected=expected, fix="ask again")


def _ends() -> SandboxError:
    return SandboxError(
        "RUN-003", where="scenarios", seen="a server that ends", expected="one that goes on", fix="start it again"
    )
