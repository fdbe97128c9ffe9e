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
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.twin import cache as twin_cache
from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.cache import root
from sandbox.drill.twin.families import cost_s, families
from sandbox.drill.twin.pace import Pace
from sandbox.runtime.rundir import disk_error
from sandbox.runtime.spawning import WithoutMain
from sandbox.runtime.tether import tether
from sandbox.runtime.threads import one_thread
from sandbox.virtual.people.ledger import Ledger

RunArm = Callable[[ArmPlan, Path, bool], Ledger]  # plan, run directory, telemetry
_Plans = dict[str, ArmPlan]  # by key: in another process the code may by now hash to something else
_Job = tuple[_Plans, bool, Path, RunArm | None]  # plans that begin alike, lake wanted, scratch, run

WORKERS = 2
LOOK_S = 1.0  # wall seconds between two looks at how many runs are done
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Finished:
    """One run. run_dir: with its lake; None where no telemetry was asked for."""

    ledger: Ledger
    run_dir: Path | None


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
            jobs = _jobs([wanted[key] for key in missing], with_lake, scratch, run)
            pace = Pace([wanted[key] for key in missing], workers, root() / "pace.json")

            def told() -> None:
                done = sum((root() / f"{key}.npz").exists() for key in missing)
                progress(pace.told(done), done / len(missing))

            nested = multiprocessing.parent_process() is not None  # by who counts the cores already
            if workers > 1 and len(missing) > 1 and not nested:
                told()
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


def _jobs(plans: Sequence[ArmPlan], with_lake: set[str], scratch: Path, run: RunArm | None) -> list[_Job]:
    """What takes longest first. Runs of a stand-in are made each by itself."""
    jobs: list[_Job] = []
    for lake in (True, False):
        part = [plan for plan in plans if (plan.key in with_lake) == lake]
        together = [[plan] for plan in part] if run else families(part)
        jobs += [({plan.key: plan for plan in of}, lake, scratch, run) for of in together]
    return sorted(jobs, key=lambda job: cost_s(list(job[0].values())), reverse=True)


def _in_turn(jobs: list[_Job], told: Callable[[], None]) -> None:
    """In this process; what another process is at comes last, for by then it may be there."""
    left = list(jobs)
    for to_the_end in (False, True):
        for n, (plans, lake, scratch, run) in enumerate(left):
            told()
            others = _make(plans, lake, scratch, run, to_the_end=to_the_end)
            left[n] = others, lake, scratch, run
        left = [job for job in left if job[0]]


def _make(plans: _Plans, lake: bool, scratch: Path, run: RunArm | None, *, to_the_end: bool = True) -> _Plans:
    """Runs them and keeps them, but for those that another process is at, which it returns. to_the_end: those are
    waited for."""
    others: _Plans = {}
    with _disk(), ExitStack() as held:
        for key in sorted(plans):  # as everybody does, so that no two wait for each other
            if not held.enter_context(twin_cache.alone(key, to_the_end)):
                others[key] = plans[key]
        missing = {k: plan for k, plan in plans.items() if k not in others and _known(k, lake) is None}
        if missing:
            _run(missing, lake, Path(tempfile.mkdtemp(dir=scratch)), run)
    return others


def _run(plans: _Plans, lake: bool, place: Path, run: RunArm | None) -> None:
    keys = {id(plan): key for key, plan in plans.items()}

    def kept(plan: ArmPlan, run_dir: Path, ledger: Ledger) -> None:
        _keep(keys[id(plan)], plan, run_dir if lake else None, ledger, place)

    if run is None:
        from sandbox.drill.twin import arm_run, branches  # torch: only where something is run

        if len(plans) > 1 and branches.can_branch():
            branches.run_family(list(plans.values()), place, lake, kept)
            return
        run = arm_run.run_arm
    for plan in plans.values():
        run_dir = Path(tempfile.mkdtemp(dir=place))
        kept(plan, run_dir, run(plan, run_dir, lake))


def _keep(key: str, plan: ArmPlan, run_dir: Path | None, ledger: Ledger, place: Path) -> None:
    """The ledger last: whoever sees that sees all of it. place: on the same disk."""
    file = place / f"{key}.npz"
    try:
        ledger.save(file, world=plan.world)
        if run_dir is not None:
            _keep_lake(run_dir, root() / f"{key}.run")
        file.replace(root() / f"{key}.npz")
    except OSError as error:
        raise disk_error(root(), error) from error


def _keep_lake(run_dir: Path, kept: Path) -> None:
    try:
        run_dir.rename(kept)
    except OSError:
        if not kept.is_dir():  # else another process was as quick, and its run is the same
            raise


def _in_processes(jobs: list[_Job], workers: int, told: Callable[[], None]) -> None:
    """told: called now and then."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=WithoutMain(), initializer=_begin, initargs=(os.getpid(),)
    )
    try:
        with one_thread():  # this starts the processes
            futures = [pool.submit(_in_child, *job) for job in jobs]
        left = set(futures)
        while left:
            ended, left = wait(left, LOOK_S, FIRST_COMPLETED)
            told()
            for error in filter(None, (future.result() for future in ended)):
                raise SandboxError.of_json(error)
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


def _in_child(plans: _Plans, lake: bool, scratch: Path, run: RunArm | None) -> dict[str, Any] | None:
    """An error of ours comes back as its parts: it takes five, and unpickling would give it one."""
    try:
        _make(plans, lake, scratch, run)
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
