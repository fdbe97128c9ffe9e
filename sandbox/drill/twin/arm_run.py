"""One arm of a comparison, run on the virtual backend."""

from __future__ import annotations

from pathlib import Path

from sandbox.drill.play.virtual_run import Pages, open_run
from sandbox.drill.twin.arms import ArmPlan
from sandbox.virtual.people.ledger import Ledger


class ArmRun:
    """A run that is at its beginning, and goes on as it is told. run_dir: where its configuration and, with
    telemetry, its lake lie. The world and its models have to be there. Raises WORLD-*, MODEL-*, RUN-005."""

    def __init__(self, plan: ArmPlan, run_dir: Path, telemetry: bool) -> None:
        self._run = open_run(plan.scenario, plan.world, plan.seed, plan.faults, run_dir, Pages(), telemetry)
        self._began_ts = self._run.stack.began_ts

    def near(self, at_s: float) -> None:
        """Almost to that time, world seconds since the drill began: so near that what comes at it, or later, comes
        as if nobody had stopped."""
        self._run.tick_up_to(self._began_ts + at_s)

    def act(self, at_s: float, text: str) -> None:
        """Raises DRILL-005 and DRILL-007 for an action that there is not."""
        self._run.advance(self._began_ts + at_s)
        self._run.act(text)

    def ended(self, at_s: float) -> Ledger:
        """Nothing can be done afterwards."""
        self._run.advance(self._began_ts + at_s)
        self._run.stack.flush()
        return self._run.stack.ledger


def run_arm(plan: ArmPlan, run_dir: Path, telemetry: bool) -> Ledger:
    """One run from its beginning to plan.until_s. Raises as `ArmRun`."""
    run = ArmRun(plan, run_dir, telemetry)
    for at_s, text in plan.done:
        run.act(at_s, text)
    return run.ended(plan.until_s)
