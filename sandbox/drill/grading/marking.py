"""The grade of a finished drill, with its twin where one can be had. It is reckoned once and kept:
what a drill was worth must not change with the program's next version.

drills/<id>/grade.json   the document of the grade, with `twin` for the plot of the debrief
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import write_atomically
from sandbox.drill.grading.baseline import Blind, blind_answer
from sandbox.drill.grading.evidence import Strength
from sandbox.drill.grading.grade import Grade, Looked, grade
from sandbox.drill.grading.looking import Looking
from sandbox.drill.play.deeds import played_of
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import Entry, first
from sandbox.drill.play.notebook import Notebook
from sandbox.drill.play.report import MOST_SQL, Report, RuledOut, Statement
from sandbox.drill.play.standing import filed_report
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin import story as twin
from sandbox.drill.twin.arm_runs import RunArm
from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.comparison import TwinResult

DIED = "RUN-008"  # of a process that computes: nothing that a grade could do without
PLOTTED = (
    "per_minute", "with_nothing_done", "with_best_response", "harm", "avoided", "regret", "unmitigated", "so_far",
    "onset_s", "filed_s", "horizon_s", "seeds", "affected_users",
)  # fmt: skip
MOST_ASKED = 40  # queries that are asked again though nobody quotes them, the latest: a few seconds of grading


def marked(
    drill: Drill, *, with_twin: bool = True, run: RunArm | None = None, workers: int = arm_runs.WORKERS,
    progress: ProgressFn = quiet,
) -> dict[str, Any]:  # fmt: skip
    """The grade's document: as it was reckoned before, else anew.

    with_twin: False grades by what can be said without running anything, and keeps nothing. A twin that
    cannot be run (no models, no disk) is left out, and the document's `notices` say why. Raises DRILL-006 when
    no report was handed in, RUN-008 when a process died that ran it: the report stands, the debrief grades it.
    """
    entries = drill.entries()
    filed = first(entries, "report")
    if filed is None:
        raise SandboxError(
            "DRILL-006",
            where="debrief",
            seen=f"phase {drill.phase}",
            expected="a report that was handed in",
            fix="hand one in: sandbox drill report; or give it up: sandbox drill debrief --abandon",
        )
    kept = _kept(drill) if with_twin else None
    if kept is not None:
        return kept
    report = Report.model_validate(filed.fields["report"])
    pack = tuple(library.load_all().values())
    found, looked = None, None
    notices: list[str] = []
    if with_twin:
        try:
            looking, notices = _looking(drill, report, pack, run, workers, progress)
            found = twin.compare(looking.story, telemetry=_days(looking), run=run, workers=workers, progress=progress)
            looked = looking.looked() if _is_asked(looking) else Looked()
        except SandboxError as error:
            if error.kind.code == DIED:
                raise
            found, looked = None, None
            notices = [f"graded without a twin: {error.kind.title} ({error.where}: {error.seen})"]
    marks, baseline = _graded(drill.scenario, entries, report, pack, found, looked)
    document = {**_result(drill.plan.run_dir, report, marks, baseline), "notices": notices}
    if looked is not None:
        document["looked"] = told_of(looked, report, looking.asked)
    if found is not None:
        whole = found.document(drill.plan.run_dir)
        document["twin"] = {part: whole[part] for part in PLOTTED}
        write_atomically(drill.directory / "grade.json", json.dumps(document))
    drill.unseal()  # its debrief follows
    return document


def wanted(drill: Drill) -> tuple[list[ArmPlan], list[ArmPlan]]:
    """The runs that `marked` will ask for, and those that it will want with a lake, of a drill whose report is in.
    Raises as `sandbox.drill.twin.story.story_of`."""
    report = filed_report(drill.entries())
    assert report is not None
    looking, _ = _looking(drill, report, tuple(library.load_all().values()))
    return list(looking.story.arms().values()), _days(looking)


def _looking(
    drill: Drill, report: Report, pack: tuple[Scenario, ...], run: RunArm | None = None,
    workers: int = arm_runs.WORKERS, progress: ProgressFn = quiet,
) -> tuple[Looking, list[str]]:  # fmt: skip
    """With what is to be said about its journal."""
    story, notices = twin.story_of(drill)
    asked = unquoted(Notebook(drill.directory).asked(), report)
    return Looking(story, report, pack, run, workers, progress, asked), notices


def _is_asked(looking: Looking) -> bool:
    """Of a day on which nothing was wrong, or was not noticed, what is quoted is not asked again."""
    return looking.story.onset_s is not None and looking.report.incident


def _days(looking: Looking) -> list[ArmPlan]:
    return looking.runs() if _is_asked(looking) else []


def unquoted(queries: Sequence[str], report: Report) -> tuple[Statement, ...]:
    """Queries that the report does not quote, each once, the latest MOST_ASKED of them."""
    quoted = {s.sql for s in report.evidence} | {r.sql for r in report.ruled_out}
    found = dict.fromkeys(sql for sql in queries if sql not in quoted and 0 < len(sql) <= MOST_SQL)
    return tuple(
        Statement(claim="a query that the report does not quote", sql=sql) for sql in list(found)[-MOST_ASKED:]
    )


def told_of(looked: Looked, report: Report, asked: Sequence[Statement]) -> dict[str, Any]:
    """{evidence, ruled_out, asked}: rows {claim, sql, value, column, why}, the strength of each query."""
    excluded = {s.claim: s for s in looked.ruled_out or ()}

    def row(of: Statement | RuledOut, found: Strength) -> dict[str, Any]:
        return {"claim": found.claim, "sql": of.sql, "value": found.value, "column": found.column, "why": found.why}

    return {
        "evidence": [row(s, found) for s, found in zip(report.evidence, looked.evidence, strict=False)],
        "ruled_out": [row(r, excluded[r.claimed]) for r in report.ruled_out if r.claimed in excluded],
        "asked": [row(s, found) for s, found in zip(asked, looked.asked, strict=False)],
    }


def _kept(drill: Drill) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads((drill.directory / "grade.json").read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and "score" in document else None


def _graded(
    scenario: Scenario, entries: list[Entry], report: Report, pack: Iterable[Scenario],
    twin: TwinResult | None = None, looked: Looked | None = None,
) -> tuple[Grade, Blind]:  # fmt: skip
    """The grade, and what an answer without looking would have got in the same drill (of which nobody
    knows the harm: that one is graded without a twin)."""
    played = played_of(scenario, entries)
    marks = grade(scenario, played, report, twin, looked)
    return marks, blind_answer(scenario, played, pack)


def _result(run: str, report: Report, marks: Grade, blind: Blind) -> dict[str, Any]:
    return {
        "run": run,
        "score": marks.score,
        "reported_incident": report.incident,
        "items": [{"item": i.item, "score": i.score, "max": i.max, "why": i.why} for i in marks.items],
        "baseline_score": round(blind.score, 4),
        "baseline_answer": blind.told,
    }
