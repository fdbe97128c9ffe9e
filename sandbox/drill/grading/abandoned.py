"""The debrief of a drill that ended without a report: no marks, but the truth, and what was lost.

It is reckoned once and kept beside the grades of others: drills/<id>/grade.json
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import write_atomically
from sandbox.drill.grading import grade as grading
from sandbox.drill.grading.marking import PLOTTED
from sandbox.drill.play.deeds import played_of
from sandbox.drill.play.drills import Drill
from sandbox.drill.scenario.harms import SLOW, UNITS
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin import story as twin
from sandbox.drill.twin.arm_runs import RunArm
from sandbox.drill.twin.comparison import TwinResult

WHY = "no report was handed in"


def unmarked(
    drill: Drill, *, with_twin: bool = True, run: RunArm | None = None, workers: int = arm_runs.WORKERS,
    progress: ProgressFn = quiet,
) -> dict[str, Any]:  # fmt: skip
    """A grade's document in which every item earned nothing. with_twin: says what was lost, as far as a twin
    can be run. run, workers: as in `arm_runs.run_all`. Raises DRILL-006 for a drill that never began."""
    if drill.began() is None:
        raise SandboxError(
            "DRILL-006",
            where="debrief",
            seen="a drill that never began",
            expected="one that did",
            fix="start another: sandbox drill start NAME",
        )
    drill.unseal()  # its debrief follows
    kept = drill.directory / "grade.json"
    if with_twin and kept.exists():
        document: dict[str, Any] = json.loads(kept.read_text())
        return document
    found, notices = None, [f"{WHY}: nothing is graded"]
    if with_twin:
        try:
            story, _ = twin.story_of(drill)
            found = twin.compare(story, run=run, workers=workers, progress=progress)
        except SandboxError as error:
            notices.append(f"no twin: {error.kind.title} ({error.where}: {error.seen})")
    incident = drill.scenario.truth.incident and drill.plan.faults
    if incident and played_of(drill.scenario, drill.entries()).onset_s is None:
        notices.append("it was given up before it went wrong: what is told would have come")
    full = grading.weights(incident, () if found else ("impact", "evidence", "ruled_out"))
    items = [{"item": name, "score": 0.0, "max": round(most, 4), "why": WHY} for name, most in full.items()]
    document = {
        "run": drill.plan.run_dir, "score": 0.0, "reported_incident": None, "items": items,
        "baseline_score": 0.0, "notices": notices, "incident": incident,
    }  # fmt: skip
    if found is not None:
        whole = found.document(drill.plan.run_dir)
        document |= {"twin": {part: whole[part] for part in PLOTTED}, "lost": lost(found)}
        document["notices"] += [f"lost: {', '.join(document['lost'])}"] if document["lost"] else []
        write_atomically(kept, json.dumps(document))
    return document


def lost(found: TwinResult) -> list[str]:
    """Harm that is clear of the noise, with its unit."""
    return [
        f"{size.estimate:.4g} {UNITS[name]}"
        for name, size in found.harm.items()
        if size.clear and size.estimate > 0 and name != SLOW
    ]
