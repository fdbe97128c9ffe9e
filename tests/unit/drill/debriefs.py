"""Debriefs of drills that went as they should, without running any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.drill.debrief.document import document
from sandbox.drill.grading.abandoned import WHY
from sandbox.drill.grading.grade import grade, weights
from sandbox.drill.play.deeds import ActionTaken, played_of
from sandbox.drill.play.journal import Entry
from sandbox.drill.play.notebook import Look
from sandbox.drill.play.report import NamedCause, Report, Statement
from sandbox.drill.scenario.patterns import parse_action
from sandbox.drill.scenario.scenario import Scenario

BEGAN = 1_772_000_000.0  # 2026-02-25 06:13:20
WALL = 1_780_000_000.0


def perfect(scenario: Scenario, **fields: Any) -> Report:
    """The report that says the truth."""
    causes = tuple(
        NamedCause(
            component=c.component, mechanism=c.mechanism, segment=c.segment,
            started_at=None if c.onset_s is None else BEGAN + c.onset_s,
        )
        for c in scenario.truth.causes
    )  # fmt: skip
    evidence = [Statement(claim=e.claim, sql=e.sql) for e in scenario.evidence]
    return Report(incident=scenario.truth.incident, causes=causes, confidence=0.9, **{"evidence": evidence, **fields})


def journal(scenario: Scenario, report: Report | None, *, faults: bool = True) -> list[Entry]:
    """What happens in a drill of it: the first accepted action is done, and the report handed in. report: None for
    one that is given up."""
    found = [_entry(0.0, "phase", name="baseline")]
    for n, step in enumerate(scenario.timeline, 1):
        change = {"change": str(step.change)} if step.change is not None else {}
        found.append(_entry(step.at_s, "step", target=step.target, **change))
        if step.harmful and faults:
            assert step.fault is not None
            found.append(_entry(step.at_s, "armed", id=f"w{n}", fault=step.fault.name, target=step.target))
    found.append(_entry(scenario.pager.at_s, "page", text=scenario.pager.text))
    end_s = scenario.evidence_by_s + 60
    for _, text in scenario.best_response[:1]:
        done = ActionTaken.of(end_s - 30, *parse_action(text))
        found.append(_entry(end_s - 30, "action", text=done.text, forms=done.forms))
    if report is None:
        found.append(_entry(end_s, "abandoned"))
    else:
        found.append(_entry(end_s, "report", report=report.model_dump(mode="json")))
    found += [_entry(end_s, "disarmed", id=e.fields["id"], why="report") for e in found if e.what == "armed"]
    return sorted(found, key=lambda e: e.world_ts)


def debrief_of(
    scenario: Scenario, report: Report | None, looks: Sequence[Look] = (), *, faults: bool = True, **result: Any
) -> dict[str, Any]:
    """The document. result: further parts of the grade's."""
    entries = journal(scenario, report, faults=faults)
    incident = scenario.truth.incident and faults
    told = {"run": "run", "baseline_score": 0.2, "notices": [], "reported_incident": None}
    if report is None:
        items = [{"item": name, "score": 0.0, "max": most, "why": WHY} for name, most in weights(incident).items()]
        told |= {"score": 0.0, "items": items, "incident": incident}
    else:
        marks = grade(scenario, played_of(scenario, entries), report)
        items = [{"item": i.item, "score": i.score, "max": i.max, "why": i.why} for i in marks.items]
        told |= {"score": marks.score, "items": items, "reported_incident": report.incident}
    return document(scenario, entries, {**told, **result}, looks)


def _entry(at_s: float, what: str, **fields: Any) -> Entry:
    return Entry(BEGAN + at_s, WALL + at_s / 60, "engine", what, fields)
