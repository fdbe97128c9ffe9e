"""From a drill's journal to what the grader needs, and the grade."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.drill.baseline import Blind, blind_answer
from sandbox.drill.comparison import TwinResult
from sandbox.drill.deeds import Action, Course
from sandbox.drill.grading import Grade, Looked, grade
from sandbox.drill.journal import Entry, first
from sandbox.drill.report import Report
from sandbox.drill.scenario import Scenario


def course_of(scenario: Scenario, entries: list[Entry]) -> Course:
    """How the drill went, by its journal. Onset is when the first harmful fault really began."""
    began = first(entries, "phase", name="baseline")
    assert began is not None, "a drill that has begun has a baseline"
    armed, paged = first(entries, "armed"), first(entries, "page")
    filed = first(entries, "report")
    end = entries[-1].world_ts
    zero = began.world_ts
    return Course(
        began_ts=zero,
        length_s=scenario.length_s,
        onset_s=armed.world_ts - zero if armed else None,
        paged_s=(paged.world_ts if paged else end) - zero,
        filed_s=(filed.world_ts if filed else end) - zero,
        actions=tuple(_action(e, zero) for e in entries if e.what == "action"),
        hints=sum(e.what == "hint" for e in entries),
    )


def _action(entry: Entry, began_ts: float) -> Action:
    forms = tuple(
        (str(op), tuple((str(k), str(v)) for k, v in arguments))
        for op, arguments in entry.fields["forms"]
    )
    return Action(entry.world_ts - began_ts, str(entry.fields["text"]), forms)


def graded(
    scenario: Scenario, entries: list[Entry], report: Report, pack: Iterable[Scenario],
    twin: TwinResult | None = None, looked: Looked | None = None,
) -> tuple[Grade, Blind]:  # fmt: skip
    """The grade, and what an answer without looking would have got in the same drill (of which nobody
    knows the harm: that one is graded without a twin)."""
    course = course_of(scenario, entries)
    marks = grade(scenario, course, report, twin, looked)
    return marks, blind_answer(scenario, course, pack)


def result(run: str, report: Report, marks: Grade, blind: Blind) -> dict[str, Any]:
    """The document of `sandbox drill start --autopilot --json` and of `drill report --json`."""
    return {
        "run": run,
        "score": marks.score,
        "reported_incident": report.incident,
        "items": [
            {"item": i.item, "score": i.score, "max": i.max, "why": i.why} for i in marks.items
        ],
        "baseline_score": round(blind.score, 4),
        "baseline_answer": blind.told,
    }
