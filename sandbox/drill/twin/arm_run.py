"""One arm of a comparison, run on the virtual backend."""

from __future__ import annotations

from pathlib import Path

from sandbox.drill.play.virtual_run import Pages, open_run
from sandbox.drill.twin.arms import ArmPlan
from sandbox.virtual.people.ledger import Ledger


def run_arm(plan: ArmPlan, run_dir: Path, telemetry: bool) -> Ledger:
    """One run from its beginning to plan.until_s. The world and its models have to be there.

    run_dir: where its configuration and, with telemetry, its lake lie. Raises DRILL-005 and DRILL-007
    for actions that there are not, WORLD-*, MODEL-*, RUN-005.
    """
    run = open_run(plan.scenario, plan.world, plan.seed, plan.faults, run_dir, Pages(), telemetry)
    began_ts = run.stack.began_ts
    for at_s, text in sorted(plan.actions, key=lambda action: action[0]):
        if at_s < plan.until_s:
            run.advance(began_ts + at_s)
            run.act(text)
    run.advance(began_ts + plan.until_s)
    run.stack.flush()
    return run.stack.ledger
