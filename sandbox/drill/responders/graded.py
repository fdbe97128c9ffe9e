"""Grades of drills that several responders have played: the runs of all their twins are made together.

One run of the twin differs from another by what a responder did, late in the drill; up to there they are one
(sandbox.drill.twin.branches). Made one grade after the other, each would be run from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.grading.marking import DIED, wanted
from sandbox.drill.grading.outcome import outcome
from sandbox.drill.play.drills import Drill
from sandbox.drill.twin.arm_runs import run_all
from sandbox.drill.twin.arms import ArmPlan

Runs = tuple[Sequence[ArmPlan], Sequence[ArmPlan]]  # plans, and plans that are wanted with a lake
NO_RUNS: Runs = ((), ())


def graded(
    filed: Mapping[int, Drill], also: Runs, workers: int, progress: Callable[[str], None]
) -> dict[int, dict[str, Any]]:
    """The documents of their grades, by number. filed: drills whose report is in. also: runs that are wanted besides.
    Raises RUN-008 when a process dies that runs them, and what the grading raises."""
    plans, with_lake = (list(of) for of in also)
    for drill in filed.values():
        with suppress(SandboxError):  # it says so when it is graded
            arms, days = wanted(drill)
            plans, with_lake = [*plans, *arms], [*with_lake, *days]
    try:
        run_all(plans, telemetry=with_lake, workers=workers, progress=lambda what, _: progress(what))
    except SandboxError as error:
        if error.kind.code == DIED:
            raise  # what else cannot be run costs the grade that asks for it its twin, and says so there
    return {number: outcome(drill) for number, drill in filed.items()}
