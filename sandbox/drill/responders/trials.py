"""Drills played by responders in worker processes: one that raises, hangs or dies costs its own drill only.

A worker plays one trial after the other, so that what it has loaded and computed serves the next. Whatever
a responder does to it, it is ended by its process group and another one goes on. What was played is graded here, drill
by drill, when all have played it: the twins of their grades are the same runs but for what each did.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.play import drills
from sandbox.drill.play.report import Report
from sandbox.drill.responders.env import DrillEnv
from sandbox.drill.responders.graded import NO_RUNS, Runs, graded
from sandbox.drill.responders.host import Opener, forget, graded_later
from sandbox.drill.responders.registry import made
from sandbox.drill.scenario.scenario import Scenario
from sandbox.runtime.rundir import disk_error
from sandbox.runtime.spawning import WithoutMain
from sandbox.runtime.tether import tether
from sandbox.runtime.threads import one_thread

BEGUN, FILING, DONE, FAILED = "begun", "filing", "done", "failed"
NOTE_LENGTH = 300
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """One drill for one responder, by its name or `module:Class`. world: None for the scenario's own."""

    scenario: Scenario
    responder: str
    seed: int
    world: str | None = None
    faults: bool = True


@dataclass(frozen=True)
class Outcome:
    """score: 0..1. note: why it is 0 where that is the responder's doing. document: of the grade."""

    trial: Trial
    score: float
    note: str = ""
    document: dict[str, Any] = field(default_factory=dict, repr=False)


def play(trial: Trial, run_dir: Path, tell: Tell, opener: Opener | None = None) -> Outcome:
    """One trial in this process. tell: hears BEGUN when the responder's turn begins and FILING when it ends.

    Whatever the responder raises or hands in is its own score of 0; raises what the drill or the grading raises.
    """
    filing = False

    def heard() -> None:
        nonlocal filing
        filing = True
        tell(FILING)

    env = DrillEnv(trial.scenario, trial.world, trial.seed, faults=trial.faults, run_dir=run_dir,
                   opener=opener, filing=heard, once=True)  # fmt: skip
    with env:
        env.reset()
        tell(BEGUN)
        try:
            written = made(trial.responder, trial.scenario.placed(trial.seed)).respond(env)
            if not env.submitted:
                env.submit(_report(written))
        except BaseException as error:  # SystemExit too: its own drill is all that a responder can end
            if filing and not env.submitted:
                raise
            if not env.submitted:
                return Outcome(trial, 0.0, _told(error))
        score = env.score()
        return Outcome(trial, score.score, "", score.document)


def play_all(
    trials: Sequence[Trial], *, timeout_s: float, workers: int = 2, opener: Opener | None = None,
    also: Runs = NO_RUNS, progress: ProgressFn = quiet,
) -> list[Outcome]:  # fmt: skip
    """The outcome of every trial, in their order.

    timeout_s: wall seconds that a responder has for a drill, from its beginning to the report. also: runs of the
    twin that will be wanted besides: together with those of the grades they cost less. opener: can be pickled; its
    drills are graded by themselves. Nothing is left running or lying when this returns or raises, Ctrl-C included.
    Raises what a drill raises that cannot be played or graded.
    """
    if not trials:
        return []
    home = paths.home() / "evaluate"
    try:
        home.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=home))
    except OSError as error:
        raise disk_error(home, error) from error
    crew = [_Worker(opener or graded_later) for _ in range(min(workers, len(trials)))]
    found: dict[int, Outcome] = {}

    def told(what: str, done: float) -> None:
        progress(what, (len(found) + done) / len(trials))

    try:
        for numbers in _drills(trials):
            played = _Round({n: trials[n] for n in numbers}, crew, place, timeout_s, told).played()
            if opener is None:
                filed = {n: drills.of_run(place / str(n)) for n, outcome in played.items() if not outcome.note}
                for n, document in graded(filed, also, workers, partial(told, done=len(filed))).items():
                    played[n] = replace(played[n], score=float(document["score"]), document=document)
                also = NO_RUNS
            found |= played
            for n in numbers:
                forget(place / str(n))
        return [found[n] for n in range(len(trials))]
    finally:
        for worker in crew:
            worker.end()
        for run_dir in place.iterdir():
            forget(run_dir)
        shutil.rmtree(place, ignore_errors=True)


def _drills(trials: Sequence[Trial]) -> list[list[int]]:
    """Numbers of those of one drill together: their grades come from much the same runs."""
    found: dict[tuple[str, int], list[int]] = {}
    for n, trial in enumerate(trials):
        found.setdefault((trial.scenario.id, trial.seed), []).append(n)
    return list(found.values())


class _Round:
    """The trials of one drill, handed out and gathered."""

    def __init__(
        self, trials: dict[int, Trial], crew: list[_Worker], place: Path, timeout_s: float,
        progress: Callable[[str, float], None],
    ) -> None:  # fmt: skip
        self._trials, self._crew, self._place = trials, crew, place
        self._timeout_s, self._progress = timeout_s, progress
        self._open = list(trials)
        self._outcomes: dict[int, Outcome] = {}

    def played(self) -> dict[int, Outcome]:
        while len(self._outcomes) < len(self._trials):
            for worker in self._crew:
                if worker.number is None and self._open:
                    number = self._open.pop(0)
                    worker.play(number, self._trials[number], self._place / str(number))
            busy = [w for w in self._crew if w.number is not None]
            ends = [w.since + self._timeout_s for w in busy if w.since is not None]
            left_s = max(0.0, min(ends) - time.monotonic()) if ends else None
            ready = wait([w.connection for w in busy], left_s)
            for worker in busy:
                if worker.connection in ready:
                    self._listen(worker)
                elif worker.since is not None and time.monotonic() >= worker.since + self._timeout_s:
                    self._close(worker, f"no report within {self._timeout_s:g} s: it was stopped")
        return self._outcomes

    def _listen(self, worker: _Worker) -> None:
        assert worker.number is not None
        try:
            what, said = worker.connection.recv()
        except (EOFError, OSError):
            code = worker.exit_code()
            if worker.since is None:  # before or after the responder's turn
                raise SandboxError(
                    "RUN-008",
                    where=f"evaluate, {self._trials[worker.number].scenario.id}",
                    seen=f"a worker ended with exit code {code}",
                    expected="a drill that begins and is graded",
                    fix="check that memory suffices; run it again",
                ) from None
            return self._close(worker, f"its process ended with exit code {code}")
        if what == BEGUN:
            worker.since = time.monotonic()
        elif what == FILING:
            worker.since = None
        elif what == FAILED:
            raise SandboxError(**said)
        else:
            self._keep(worker, said)
        return None

    def _close(self, worker: _Worker, note: str) -> None:
        """Scores 0, ends the worker and puts a fresh one in its place."""
        assert worker.number is not None
        self._keep(worker, Outcome(self._trials[worker.number], 0.0, note))
        worker.end()
        self._crew[self._crew.index(worker)] = _Worker(worker.opener)

    def _keep(self, worker: _Worker, outcome: Outcome) -> None:
        assert worker.number is not None
        self._outcomes[worker.number] = outcome
        worker.number = worker.since = None
        self._progress("drills", float(len(self._outcomes)))


class _Worker:
    """A process that plays. number: of the trial it is at. since: `time.monotonic()` at which the
    responder's turn began, None outside of it."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.number: int | None = None
        self.since: float | None = None
        context = WithoutMain()  # torch's threads do not survive a fork
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, opener, os.getpid()))
        with one_thread():
            self._process.start()
        theirs.close()

    def play(self, number: int, trial: Trial, run_dir: Path) -> None:
        self.number, self.since = number, None
        with suppress(OSError):  # it died: the next look at its connection says so
            self.connection.send((trial, run_dir))

    def exit_code(self) -> int | None:
        self._process.join(5)
        return self._process.exitcode

    def end(self) -> None:
        """Ends it with whatever it and its responder have started."""
        if self._process.pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()  # it has no group of its own yet in its first moments
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, opener: Opener, parent: int) -> None:
    """A worker's life: trials in, what becomes of them out."""
    os.setsid()  # Ctrl-C at the terminal is the parent's to answer
    tether(parent)
    os.dup2(2, 1)  # stdout is for the document; what a responder prints is for people
    while True:
        try:
            trial, run_dir = connection.recv()
        except EOFError:
            return
        try:
            outcome = play(trial, run_dir, lambda what: connection.send((what, None)), opener)
        except BaseException as error:
            connection.send((FAILED, _fields(error, trial)))
            continue
        connection.send((DONE, outcome))


def _fields(error: BaseException, trial: Trial) -> dict[str, Any]:
    """What a SandboxError is made of again on the other side."""
    if isinstance(error, SandboxError):
        told = error.as_json()
        return {k: told[k] for k in ("code", "where", "seen", "expected", "fix")}
    return {
        "code": "RUN-008",
        "where": f"evaluate, {trial.scenario.id} by {trial.responder}",
        "seen": f"{type(error).__name__}: {error}"[:NOTE_LENGTH],
        "expected": "a drill that begins and is graded",
        "fix": "run it again; if it stays, report it",
    }


def _report(written: object) -> Report | dict[str, Any]:
    if isinstance(written, Report | dict):
        return written
    raise SandboxError(
        "DRILL-003",
        where="what the responder returned",
        seen=type(written).__name__,
        expected="a Report or a dict of its fields",
        fix="return one, or call env.submit",
    )


def _told(error: BaseException) -> str:
    if isinstance(error, SandboxError):
        text = f"{error.kind.code} {error.kind.title}: {error.where}: {error.seen!r}; expected {error.expected}"
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:NOTE_LENGTH]
