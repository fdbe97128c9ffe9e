"""Runs that begin alike, run once up to where they part: there the process forks, and each goes its own way.

Every run has a process of its own, with a directory of its own as its working directory: all that a run writes it
writes there, by relative paths, so that a copy of the process and a copy of the directory are a copy of the run.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.drill.twin.arm_run import ArmRun
from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.families import Parting, partings
from sandbox.runtime.tether import tether
from sandbox.runtime.threads import ONE_THREAD
from sandbox.virtual.people.ledger import Ledger

Keep = Callable[[ArmPlan, Path, Ledger], None]  # plan, run directory, what it came to


def can_branch() -> bool:
    """Whether this process may fork and go on computing. Of threads a copy has only the one that forked: there must
    be no other, those included that a library would wait for in vain (sandbox.runtime.threads)."""
    alone = threading.active_count() == 1 and all(os.environ.get(name) == n for name, n in ONE_THREAD.items())
    return alone and hasattr(os, "fork") and multiprocessing.parent_process() is not None


def run_family(plans: Sequence[ArmPlan], place: Path, telemetry: bool, keep: Keep) -> None:
    """All of them, which have to begin alike. place: a directory for those of the runs. keep: called in another
    process with each run that has ended. Raises what a run raises, RUN-008 when its process dies."""
    place = place.absolute()

    def begin() -> None:
        os.environ["SANDBOX_HOME"] = str(paths.home().absolute())  # a relative one is about to mean another place
        os.chdir(_directory(place))
        run = ArmRun(plans[0], Path(), telemetry)
        gc.freeze()  # what is there by now lives to the end: to look at it would copy it in each process
        _go_on(run, plans, 0, place, keep)

    _in_a_copy(begin)


def _go_on(run: ArmRun, plans: Sequence[ArmPlan], n_done: int, place: Path, keep: Keep) -> None:
    """From where all plans have their first n_done actions behind them."""
    *others, last = partings(plans, n_done)
    for other in others:
        run.near(other.at_s)
        _in_a_copy(partial(_go_own_way, run, other, n_done, place, keep))
    _follow(run, last, n_done, place, keep)


def _go_own_way(run: ArmRun, parting: Parting, n_done: int, place: Path, keep: Keep) -> None:
    own = _directory(place)
    shutil.copytree(Path(), own, dirs_exist_ok=True)
    os.chdir(own)
    _follow(run, parting, n_done, place, keep)


def _follow(run: ArmRun, parting: Parting, n_done: int, place: Path, keep: Keep) -> None:
    if parting.text is None:
        (plan,) = parting.plans
        keep(plan, Path().absolute(), run.ended(parting.at_s))
    else:
        run.act(parting.at_s, parting.text)
        _go_on(run, parting.plans, n_done + 1, place, keep)


def _directory(place: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=place))


def _in_a_copy(do: Callable[[], None]) -> None:
    """Has a copy of this process do it, waits for it and raises what it raised."""
    reading, writing = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        os.close(reading)
        _live(do, parent, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
    except BaseException:  # Ctrl-C
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(pid, 0)
    if told:
        raise SandboxError.of_json(json.loads(told))
    if status:
        raise SandboxError(
            "RUN-008",
            where="a run of the twin",
            seen=f"its process ended with status {os.waitstatus_to_exitcode(status)}",
            expected="memory enough for it",
            fix="run it again with less running beside it; if it stays, report what is written above",
        )


def _live(do: Callable[[], None], parent: int, writing: int) -> NoReturn:
    """Of a copy. Whatever happens it ends here: what its parent would do next is not its own to do."""
    code = 1
    try:
        tether(parent)
        do()
        code = 0
    except SandboxError as error:
        with os.fdopen(writing, "w") as pipe:
            json.dump(error.as_json(), pipe)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
