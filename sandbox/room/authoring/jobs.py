"""What takes minutes: proofs and dry runs, at most one at a time, each in a process of its own that ends with the server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

from sandbox.base.errors import SandboxError
from sandbox.room.authoring.documents import Document
from sandbox.room.authoring.processes import Process

State = Literal["running", "done", "failed", "cancelled"]
_KEPT = 20  # jobs that are over


class Job(Document):
    """what, share: how far it is; share 0..1, None where unknown. took_s: wall seconds so far, or in all. answer: of one that
    is done: a proof, or a dry run. problem: of one that failed, the parts of an error."""

    job: int
    kind: str
    scenario: str
    state: State
    what: str
    share: float | None
    took_s: float
    answer: dict[str, Any] | None
    problem: dict[str, Any] | None


class _Work:
    def __init__(self, number: int, kind: str, scenario: str, began_s: float) -> None:
        self.number, self.kind, self.scenario, self.began_s = number, kind, scenario, began_s
        self.state: State = "running"
        self.what, self.share = "it is started", None
        self.took_s: float | None = None
        self.answer: dict[str, Any] | None = None
        self.problem: dict[str, Any] | None = None
        self.process: Process | None = None
        self.ended = threading.Event()

    def progress(self, what: str, share: float | None) -> None:
        self.what, self.share = what[:200], share  # type: ignore[assignment]


class Jobs:
    """clock: monotonic seconds. make: starts a process."""

    def __init__(self, clock: Callable[[], float], make: Callable[[], Process] = Process) -> None:
        self._clock, self._make = clock, make
        self._turn = threading.Lock()
        self._jobs: dict[int, _Work] = {}
        self._last, self._closed = 0, False

    def start(self, kind: str, scenario: str, request: dict[str, Any]) -> Job:
        """kind: what it is called. request: of `work`. Raises ROOM-003 while another is at work."""
        with self._turn:
            busy = next((job for job in self._jobs.values() if job.state == "running"), None)
            if busy is not None or self._closed:
                seen = (
                    "a server that ends"
                    if busy is None
                    else f"job {busy.number}, {busy.kind} of {busy.scenario}, is at work"
                )
                raise SandboxError(
                    "ROOM-003", where="jobs", seen=seen, expected="one at a time", fix="wait for it, or cancel it"
                )
            self._last += 1
            work = self._jobs[self._last] = _Work(self._last, kind, scenario, self._clock())
            for old in list(self._jobs)[:-_KEPT]:
                del self._jobs[old]
        threading.Thread(target=self._run, args=(work, request), name=f"job-{work.number}", daemon=True).start()
        return self._told(work)

    def all(self) -> list[Job]:
        """Without their answers; the latest first."""
        with self._turn:
            return [self._told(work).model_copy(update={"answer": None}) for work in reversed(self._jobs.values())]

    def job(self, number: int) -> Job:
        """Raises ROOM-009."""
        return self._told(self._work(number))

    def cancel(self, number: int) -> Job:
        """Returns when its process is gone. One that is over stays as it is. Raises ROOM-009."""
        work = self._work(number)
        self._stop(work)
        work.ended.wait(30)
        return self._told(work)

    def close(self) -> None:
        """Cancels what is at work."""
        with self._turn:
            self._closed = True
            left = [work for work in self._jobs.values() if work.state == "running"]
        for work in left:
            self._stop(work)
            work.ended.wait(30)

    def _stop(self, work: _Work) -> None:
        with self._turn:
            if work.state != "running":
                return
            work.state, process = "cancelled", work.process
        if process is not None:
            process.end(tidy=True)

    def _run(self, work: _Work, request: dict[str, Any]) -> None:
        process = None
        try:
            process = self._make()
            with self._turn:
                work.process = process
                wanted = work.state == "running"
            if wanted:
                answer = process.ask(request, work.progress)
                self._end(work, "done", answer=answer)
        except SandboxError as error:
            parts = error.as_json()
            self._end(work, "failed", problem=parts)
        except Exception as error:  # the edge of a thread: the job has to say so
            self._end(
                work, "failed", problem={"code": "RUN-008", "title": "unexpected failure", "seen": str(error)[:200]}
            )
        finally:
            if process is not None:
                process.end()
            work.took_s = self._clock() - work.began_s
            work.ended.set()

    def _end(self, work: _Work, state: State, **told: Any) -> None:
        with self._turn:
            if work.state == "running":  # else it was cancelled, and what it says of its end is no news
                for name, value in told.items():
                    setattr(work, name, value)
                work.state = state

    def _work(self, number: int) -> _Work:
        with self._turn:
            work = self._jobs.get(number)
        if work is None:
            raise SandboxError(
                "ROOM-009",
                where="jobs",
                seen=number,
                expected="the number of a job of this server",
                fix="GET …/jobs lists them",
            )
        return work

    def _told(self, work: _Work) -> Job:
        took = work.took_s if work.took_s is not None else self._clock() - work.began_s
        return Job(
            job=work.number, kind=work.kind, scenario=work.scenario, state=work.state, what=work.what, share=work.share,
            took_s=round(took, 1), answer=work.answer, problem=work.problem,
        )  # fmt: skip
