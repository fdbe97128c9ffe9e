"""The run directory: its lock, its space, and what went wrong with it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.base.locks import at_once, is_held
from sandbox.base.run import STACK_LOCK, RunInfo
from sandbox.runtime.settings import MIN_FREE_MB

_TAIL_BYTES = 8192  # of a log that are looked at
# What a run leaves that the next one in its directory would take for its own. Each begins its world at the same moment.
_TRACES = ("lake", "operations.jsonl")
_LEFT = (*_TRACES, "outcomes.journal", "drill.json", "registry", "logs")


@contextmanager
def held_by_supervisor(run_dir: Path) -> Iterator[None]:
    """Holds a run, as its supervisor does. Raises RUN-002 when another process holds it."""
    with ExitStack() as held:
        try:
            held.enter_context(at_once(run_dir / STACK_LOCK))
        except BlockingIOError as error:
            raise in_use(run_dir) from error
        yield


def is_locked(run_dir: Path) -> bool:
    """Whether a supervisor lives in run_dir."""
    return is_held(run_dir / STACK_LOCK)


def in_use(run_dir: Path) -> SandboxError:
    return SandboxError(
        "RUN-002",
        where="run directory",
        seen=str(run_dir),
        expected="a directory in which no stack runs",
        fix="stop that one: sandbox down --run-dir DIR; or leave --run-dir out for a directory of its own",
    )


def require_space(run_dir: Path) -> None:
    """Raises RUN-005 when a run could not write even a short drill's telemetry there."""
    free_mb = shutil.disk_usage(run_dir).free >> 20
    if free_mb < MIN_FREE_MB:
        raise SandboxError(
            "RUN-005",
            where=str(run_dir),
            seen=f"{free_mb} MB free",
            expected=f"at least {MIN_FREE_MB} MB",
            fix="free some space, or set SANDBOX_HOME or --run-dir to another disk",
        )


def disk_error(run_dir: Path, error: OSError) -> SandboxError:
    """RUN-005 for a full disk, CFG-002 for a place that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SandboxError(
            "RUN-005",
            where=error.filename or str(run_dir),
            seen=str(error),
            expected="space to write",
            fix="free some space, or set SANDBOX_HOME or --run-dir to another disk",
        )
    return SandboxError(
        "CFG-002",
        where=error.filename or str(run_dir),
        seen=str(error),
        expected="a directory that can be written",
        fix="set SANDBOX_HOME or --run-dir to a directory of yours",
    )


def set_aside_earlier(run_dir: Path) -> None:
    """Moves what an earlier run left in a directory that nothing runs in to a run directory of its own beside it,
    NAME.earlier-1, NAME.earlier-2 and so on. Raises CFG-002 and RUN-005."""
    if not any((run_dir / name).exists() for name in _TRACES):
        return
    try:
        place = next(at for n in count(1) if not (at := run_dir.with_name(f"{run_dir.name}.earlier-{n}")).exists())
        place.mkdir()
        with suppress(SandboxError):  # of a run that never came so far
            replace(RunInfo.load(run_dir), run_dir=str(place)).save()
        for name in _LEFT:
            if (run_dir / name).exists():
                (run_dir / name).rename(place / name)
    except OSError as error:
        raise disk_error(run_dir, error) from error


def clear_sockets(run: RunInfo) -> None:
    """Removes the unix sockets of a run that has ended."""
    if run.sockets:
        shutil.rmtree(run.sockets, ignore_errors=True)
        return
    for path in run.path.glob("*.sock"):
        path.unlink(missing_ok=True)


def last_lines(log: Path, n: int = 12) -> str:
    """The end of a log, for whoever has to find out why a process did not start."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return "\n".join(file.read(_TAIL_BYTES).decode(errors="replace").splitlines()[-n:])
    except OSError as error:
        return f"(no log: {error})"


def point_latest_to(run_dir: Path) -> None:
    """Makes it the run that commands take when none is named."""
    link = paths.runs() / "latest"
    link.parent.mkdir(parents=True, exist_ok=True)
    aside = link.with_name(f".latest-{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(run_dir)
    aside.replace(link)
