"""One simulation from its plan to its document, with nothing half left behind."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.pipeline.events import read_manifest
from sandbox.virtual.weeks.compare import Users, compared
from sandbox.virtual.weeks.plan import Place, Plan
from sandbox.virtual.weeks.simulation import Outcome, Weeks
from sandbox.virtual.weeks.workers import Apart, Here, Worker, all_of

DOCUMENT = "simulation.json"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def run(
    plan: Plan, world_dir: Path, *, out: Path | None = None, processes: int = 2, progress: ProgressFn = quiet
) -> dict[str, Any]:
    """The document of the simulation: same plan and world, same document, whatever `processes` says.

    world_dir: a world with its first models. out: a new directory for the document, everything that was
    shown and the trained models; None keeps nothing. processes: at most so many beside this one work at a
    time, 0 for none. Raises CFG-001 and CFG-004 for a plan that cannot be, RUN-005 when the disk is full.
    """
    plan.check(read_manifest(world_dir))
    with _workplace(out) as work:
        if plan.separate:
            outcomes = _separate(plan, world_dir, work, out is not None, processes, progress)
        else:
            place = Place(world_dir, work, keep=out is not None)
            outcomes = [_together(plan, place, processes, progress)]
        document = _document(plan, outcomes)
        if out is not None:
            (work / DOCUMENT).write_text(json.dumps(document, indent=1))
            for shadow in (work / "world", *work.glob("*/world")):
                shutil.rmtree(shadow, ignore_errors=True)
    return document


def _together(plan: Plan, place: Place, processes: int, progress: ProgressFn) -> Outcome:
    weeks = Weeks.begin(plan, place, processes)
    try:
        for day in range(plan.days):
            progress(f"{plan.days} days", day / plan.days)
            weeks.day(day)
    finally:
        weeks.close()
    return weeks.outcome()


def _separate(
    plan: Plan, world_dir: Path, work: Path, keep: bool, processes: int, progress: ProgressFn
) -> list[Outcome]:
    """Every arm with everybody in it, side by side as far as the processes go."""
    outcomes: list[Outcome] = []
    at_once, n = max(processes, 1), len(plan.arms)
    for first in range(0, n, at_once):
        arms = plan.arms[first : first + at_once]
        workers: list[Worker] = []
        try:
            for arm in arms:
                place = Place(world_dir, work / arm.name, keep=keep)
                place.work.mkdir()
                job = (replace(plan, arms=(arm,)), place)
                workers.append(Apart(_begin, job) if processes else Here(_begin, job))
            for day in range(plan.days):
                done = (first + len(arms) * day / plan.days) / n
                progress(f"{plan.days} days of {n} worlds", done)
                all_of(workers, "day", day)
            all_of(workers, "close")
            outcomes += all_of(workers, "outcome")
        finally:
            for worker in workers:
                worker.close()
    return outcomes


def _begin(job: tuple[Plan, Place]) -> Weeks:
    return Weeks.begin(*job, processes=0)


def _document(plan: Plan, outcomes: list[Outcome]) -> dict[str, Any]:
    arms = [arm for outcome in outcomes for arm in outcome.arms]
    for arm, of in zip(plan.arms, arms, strict=True):
        of["settings"] = arm.settings
    sums: list[Users] = [users for outcome in outcomes for users in outcome.per_user]
    return {
        "world": plan.world, "days": plan.days, "users": plan.users, "seed": plan.seed,
        "design": "separate worlds" if plan.separate else "users split",
        "retrain_days": plan.retrain_days, "births": outcomes[0].births,
        "arms": arms,
        "retrains": [
            {**({"arm": arm.name} if plan.separate else {}), **row}
            for arm, outcome in zip(plan.arms, outcomes, strict=False) for row in outcome.retrains
        ],
        "against": [
            {"base": plan.arms[0].name, "arm": arm.name, "metrics": compared(sums[0], users, paired=plan.separate)}
            for arm, users in list(zip(plan.arms, sums, strict=True))[1:]
        ],
    }  # fmt: skip


@contextmanager
def _workplace(out: Path | None) -> Iterator[Path]:
    """An empty directory that becomes `out` when all went well, and is gone otherwise."""
    if out is not None and out.exists():
        raise SandboxError(
            "CFG-004",
            where="sandbox simulate --out",
            seen=str(out),
            expected="a directory that is not there yet",
            fix="name another one, or move that one away",
        )
    where = None
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        where = out.parent
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}." if out else "weeks-", dir=where))
    try:
        yield work
        if out is not None:
            work.chmod(0o755)
            work.rename(out)
    except OSError as error:
        if error.errno in _FULL:
            raise SandboxError(
                "RUN-005",
                where=str(work.parent),
                seen=str(error),
                expected="room for models and logs: about 60 MB, with --out 10 MB a day more",
                fix="free some space; set TMPDIR, or --out on another disk",
            ) from error
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
