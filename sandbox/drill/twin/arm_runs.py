"""Running arms, two at a time, and keeping what they came to.

SANDBOX_HOME/twins/<key>.npz   the ledger of one run; key: ArmPlan.key
SANDBOX_HOME/twins/<key>.run/  its run directory, where the run was asked for with telemetry

A file that cannot be read is computed anew. What two processes want at the same time one of them runs, while
the other does what else it has to. What is least recently used goes when all of it is too large
(sandbox.drill.twin.cache).
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import signal
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.twin import cache as twin_cache
from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.cache import root
from sandbox.drill.twin.pace import Pace
from sandbox.runtime.rundir import disk_error
from sandbox.runtime.spawning import WithoutMain
from sandbox.runtime.tether import tether
from sandbox.runtime.threads import one_thread
from sandbox.virtual.people.ledger import Ledger

RunArm = Callable[[ArmPlan, Path, bool], Ledger]  # plan, run directory, telemetry
_Job = tuple[str, ArmPlan, bool, Path, RunArm | None]  # key, plan, lake wanted, scratch, run

WORKERS = 2
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Finished:
    """One run. run_dir: with its lake; None where no telemetry was asked for."""

    ledger: Ledger
    run_dir: Path | None


def virtual() -> RunArm:
    """The runs of the virtual backend."""
    from sandbox.drill.twin.arm_run import run_arm  # torch: only where something is run

    return run_arm


def run_all(
    plans: Sequence[ArmPlan], *, telemetry: Sequence[ArmPlan] = (), run: RunArm | None = None,
    workers: int = WORKERS, progress: ProgressFn = quiet,
) -> dict[str, Finished]:  # fmt: skip
    """What the plans come to, by key. Equal plans are run once, and none that was run before.

    telemetry: plans (of these, or more) whose run directory is wanted too. run: for tests; a function of
    a module where workers > 1. workers: processes; with 1 the runs happen in this one. Raises what a run
    raises, RUN-005 on a full disk; then, and on Ctrl-C, no process and nothing half written is left.
    """
    with_lake = {plan.key for plan in telemetry}
    wanted = {plan.key: plan for plan in (*plans, *telemetry)}
    with _disk():
        root().mkdir(parents=True, exist_ok=True, mode=0o700)
        twin_cache.hold(wanted)  # before looking, so that what is found stays
    found = {key: _known(key, key in with_lake) for key in wanted}
    missing = [key for key in wanted if found[key] is None]
    if missing:
        with _scratch() as scratch:
            jobs = [(key, wanted[key], key in with_lake, scratch, run) for key in missing]
            pace = Pace([wanted[key] for key in missing], workers, root() / "pace.json")

            def told(done: int) -> None:
                progress(pace.told(done), done / len(jobs))

            nested = multiprocessing.parent_process() is not None  # by who counts the cores already
            if workers > 1 and len(jobs) > 1 and not nested:
                told(0)
                _in_processes(jobs, workers, told)
            else:
                _in_turn(jobs, told)
            pace.finish()
        found |= {key: _known(key, key in with_lake) for key in missing}
    whole = {key: one for key, one in found.items() if one is not None}
    assert len(whole) == len(wanted), "a run that has just been kept is there"
    return whole


def _known(key: str, lake: bool) -> Finished | None:
    path, run_dir = root() / f"{key}.npz", root() / f"{key}.run"
    if lake and not run_dir.is_dir():
        return None
    try:
        ledger = Ledger.load(path)
        for used in (path, run_dir) if lake else (path,):
            os.utime(used)  # the least recently used go first
    except _UNREADABLE:
        return None
    return Finished(ledger, run_dir if lake else None)


def _in_turn(jobs: list[_Job], told: Callable[[int], None]) -> None:
    """In this process; what another process is at comes last, for by then it may be there."""
    left = list(jobs)
    for wait in (False, True):
        for job in list(left):
            told(len(jobs) - len(left))
            if _run_one(*job, wait=wait):
                left.remove(job)


def _run_one(key: str, plan: ArmPlan, lake: bool, scratch: Path, run: RunArm | None, *, wait: bool = True) -> bool:
    """Runs it and keeps it, unless another process is at it. Whether it is there now; with wait it is.

    key: handed in, for in another process the code may by now hash to something else."""
    with _disk(), twin_cache.alone(key, wait) as mine:
        if mine and _known(key, lake) is None:
            _run_and_keep(key, plan, lake, scratch, run)
    return mine


def _run_and_keep(key: str, plan: ArmPlan, lake: bool, scratch: Path, run: RunArm | None) -> None:
    """The ledger last: whoever sees that sees all of it."""
    run = run or virtual()  # here, so that who only waits for others never loads torch
    run_dir, kept, ledger = scratch / key, root() / f"{key}.run", scratch / f"{key}.npz"
    try:
        run_dir.mkdir()
        run(plan, run_dir, lake).save(ledger, world=plan.world)
        if lake:
            _keep(run_dir, kept)
        ledger.replace(root() / f"{key}.npz")
    except OSError as error:
        raise disk_error(root(), error) from error


def _keep(run_dir: Path, kept: Path) -> None:
    try:
        run_dir.rename(kept)
    except OSError:
        if not kept.is_dir():  # else another process was as quick, and its run is the same
            raise


def _in_processes(jobs: list[_Job], workers: int, ended: Callable[[int], None]) -> None:
    """ended: hears how many have."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=WithoutMain(), initializer=_begin, initargs=(os.getpid(),)
    )
    try:
        with one_thread():  # this starts the processes
            futures = [pool.submit(_in_child, *job) for job in jobs]
        for done, future in enumerate(as_completed(futures), 1):
            ended(done)
            if (told := future.result()) is not None:
                raise SandboxError.of_json(told)
    except BrokenProcessPool as error:
        raise SandboxError(
            "RUN-008",
            where="a run of the twin",
            seen="its process died",
            expected="memory enough for it",
            fix="run it again with fewer seeds, or with less running beside it",
        ) from error
    except BaseException:  # Ctrl-C too: what runs would run on for minutes
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(parent: int) -> None:
    """In a worker: Ctrl-C is the parent's affair, and its death is the worker's."""
    gc.set_threshold(50_000, 20, 100)  # few cycles, and much that lives: looking costs a twentieth
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    tether(parent)


def _in_child(key: str, plan: ArmPlan, lake: bool, scratch: Path, run: RunArm | None) -> dict[str, Any] | None:
    """An error of ours comes back as its parts: it takes five, and unpickling would give it one."""
    try:
        _run_one(key, plan, lake, scratch, run)
    except SandboxError as error:
        return error.as_json()
    return None


@contextmanager
def _disk() -> Iterator[None]:
    """What the disk refuses, as our error."""
    try:
        yield
    except OSError as error:
        raise disk_error(root(), error) from error


@contextmanager
def _scratch() -> Iterator[Path]:
    """A directory for what is half done, gone afterwards; those of the killed go too."""
    with _disk():
        for path in root().glob(".scratch-*"):
            if not psutil.pid_exists(int(path.name.split("-")[1])):
                shutil.rmtree(path, ignore_errors=True)
        twin_cache.make_room()
        directory = Path(tempfile.mkdtemp(prefix=f".scratch-{os.getpid()}-", dir=root()))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
