"""The evidence of a scenario on a healthy day and on a broken one, side by side, nobody acting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.base.worlds import load_manifest
from sandbox.drill.scenario.queries import filled, verdict
from sandbox.drill.scenario.scenario import Evidence, Scenario
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin.arms import ArmPlan
from sandbox.telemetry.sql import SqlWorker

SHOWN_ROWS = 3


def document(scenario: Scenario, world: str, progress: ProgressFn) -> list[dict[str, Any]]:
    """For each query its claim, its predicate, and by day the columns, the first rows and the verdict. Runs
    two virtual days up to evidence_by_s, or looks them up. Raises WORLD-*, MODEL-*, RUN-*."""
    asked = scenario.placed(scenario.seed)
    plans = {
        day: ArmPlan(asked, world, scenario.seed, day == "broken", (), asked.evidence_by_s)
        for day in ("healthy", "broken")
    }
    runs = arm_runs.run_all(list(plans.values()), telemetry=list(plans.values()), progress=progress)
    began = load_manifest(world).history_end_ts
    times = {"began": began, "paged": began + asked.pager.at_s, "now": began + asked.evidence_by_s}
    rows: list[dict[str, Any]] = [{"query": e.id, "claim": e.claim, "predicate": e.predicate} for e in asked.evidence]
    for day, plan in plans.items():
        run_dir = runs[plan.key].run_dir
        assert run_dir is not None  # telemetry was asked for
        for row, answer in zip(rows, _answers(asked, run_dir, times), strict=True):
            row[day] = answer
    return rows


def _answers(scenario: Scenario, run_dir: Path, times: dict[str, float]) -> list[dict[str, Any]]:
    with SqlWorker(run_dir / "lake") as worker:
        return [_answer(evidence, worker, times) for evidence in scenario.evidence]


def _answer(evidence: Evidence, worker: SqlWorker, times: dict[str, float]) -> dict[str, Any]:
    try:
        answer = worker.query(filled(evidence.sql, times))
        holds = verdict(evidence, answer.columns, answer.rows)
    except (SandboxError, ValueError) as error:
        return {"columns": [], "rows": [], "holds": None, "failed": str(error)}
    return {"columns": answer.columns, "rows": answer.rows[:SHOWN_ROWS], "holds": holds}
