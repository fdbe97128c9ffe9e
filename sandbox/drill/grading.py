"""Grading by program: a report and what was done, against the truth. Pure, the same every time.

Each item earns 0..max; the maxima of a scenario sum to 1. Whatever an item says about the cause
counts only where the report's verdict (incident or not) is right. `impact` and `evidence` need the twin:
without it they have no part, and the others are worth more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.drill import conduct, taxonomy
from sandbox.drill.comparison import TwinResult
from sandbox.drill.deeds import Action, Course
from sandbox.drill.evidence import Strength
from sandbox.drill.impact import impact_share
from sandbox.drill.report import Report
from sandbox.drill.scenario import Scenario, Truth

__all__ = ["Action", "Course", "Grade", "Item", "grade"]

# Maxima by item, with a twin.
INCIDENT_WEIGHTS = {
    "detection": 0.10, "component": 0.15, "mechanism": 0.15, "onset": 0.10, "segment": 0.05,
    "mitigation": 0.15, "side_effects": 0.05, "impact": 0.10, "evidence": 0.10, "confidence": 0.05,
}  # fmt: skip
NULL_WEIGHTS = {
    "detection": 0.45, "component": 0.0, "mechanism": 0.15, "onset": 0.0, "segment": 0.0,
    "mitigation": 0.0, "side_effects": 0.35, "impact": 0.0, "evidence": 0.0, "confidence": 0.05,
}  # fmt: skip

HINT_PRICE = 0.03  # of the whole score, for each hint that was taken
NEIGHBOUR = 0.4  # credit for the component next door
FAMILY = 0.4  # credit for another mechanism of the same family, or for the family itself
ONSET_FULL = 0.02  # error up to this share of the drill's length is none
ONSET_ZERO = 0.30  # from this share on it earns nothing
CAUSE = ("component", "mechanism", "onset", "segment", "impact", "evidence")


@dataclass(frozen=True)
class Item:
    """score: 0..max. why: one sentence for the debrief."""

    item: str
    score: float
    max: float
    why: str


@dataclass(frozen=True)
class Grade:
    """items in a fixed order; score: their sum, 0..1."""

    items: tuple[Item, ...]

    @property
    def score(self) -> float:
        return round(min(1.0, sum(item.score for item in self.items)), 4)


def grade(
    scenario: Scenario, course: Course, report: Report,
    twin: TwinResult | None = None, strengths: Sequence[Strength] | None = None,
) -> Grade:  # fmt: skip
    """What the report and the actions are worth.

    twin: the arms of this drill, None where none were run. strengths: of the report's evidence, None where
    it was not asked again. A drill whose fault was left out has no onset: then the right answer is that
    nothing is wrong.
    """
    truth = scenario.truth
    incident = truth.incident and course.onset_s is not None
    right = report.incident == incident
    restraint = conduct.side_effects(scenario, course, twin, incident)
    parts = {
        "detection": _detection(incident, course, report, restraint[0]),
        "component": _component(truth, report),
        "mechanism": _mechanism(truth, report, incident),
        "onset": _onset(course, report),
        "segment": _segment(truth, report),
        "mitigation": conduct.mitigation(scenario, course, twin),
        "side_effects": restraint,
        "impact": impact_share(report.impact, twin) if twin is not None else _NO_TWIN,
        "evidence": _evidence(strengths) if strengths is not None else _NO_TWIN,
        "confidence": _confidence(right, report),
    }
    items = []
    for name, highest in weights(incident, twin is not None, strengths is not None).items():
        share, why = parts[name]
        if not right and name in CAUSE:
            share, why = 0.0, "counts only with the right verdict"
        if not right and name == "side_effects":
            share, why = 0.0, "leaving things alone counts only with the right verdict"
        if highest == 0 and parts[name] is not _NO_TWIN:
            why = "has no part in a drill without an incident"
        items.append(Item(name, round(highest * share, 4), round(highest, 4), why))
    return Grade(tuple(items))


def weights(incident: bool, twin: bool, evidence: bool) -> dict[str, float]:
    """Maxima by item; they sum to 1 whatever there is to grade with."""
    full = dict(INCIDENT_WEIGHTS if incident else NULL_WEIGHTS)
    for name, graded in (("impact", twin), ("evidence", evidence)):
        if not graded:
            full[name] = 0.0
    whole = sum(full.values())
    return {name: highest / whole for name, highest in full.items()}


Scored = tuple[float, str]  # share 0..1 of an item, and why
_NO_TWIN: Scored = (0.0, "not graded: no twin")


def _detection(incident: bool, course: Course, report: Report, restraint: float) -> Scored:
    """restraint: share of the side effects. Who acts on a false alarm has not seen that it is one."""
    if report.incident != incident:
        return 0.0, "an incident was missed" if incident else "a false alarm was reported"
    if not incident:
        acted = "" if restraint == 1.0 else ", and yet acted as if something were"
        return restraint, f"rightly reported that nothing was wrong{acted}"
    assert course.onset_s is not None
    detected = course.filed_s
    if report.detected_at is not None:
        detected = min(detected, report.detected_at - course.began_ts)
    if detected < course.onset_s:
        return 0.6, "the incident was found, but it is said to have been seen before it began"
    took = (detected - course.onset_s) / course.length_s
    promptness = 1.0 - min(1.0, max(0.0, took - 0.25) / 0.5)
    return (
        0.6 + 0.4 * promptness,
        f"found {(detected - course.onset_s) / 60:.0f} world minutes after it began",
    )


def _component(truth: Truth, report: Report) -> Scored:
    if report.component == truth.component:
        return 1.0, f"{truth.component} it was"
    near = taxonomy.are_neighbours(report.component, truth.component)
    if near or report.component in truth.neighbours:
        return NEIGHBOUR, f"{report.component} is next to {truth.component}, where it was"
    return 0.0, f"it was {truth.component}, not {report.component}"


def _mechanism(truth: Truth, report: Report, incident: bool) -> Scored:
    actual = truth.mechanism
    family = taxonomy.family_of(actual)
    if not incident and truth.incident:  # the fault was left out: any benign reading is right
        benign = taxonomy.family_of(report.mechanism) == "benign"
        return (1.0, "nothing was at work") if benign else (0.0, "nothing was at work")
    if report.mechanism == actual:
        return 1.0, f"{actual} it was"
    if taxonomy.family_of(report.mechanism) == family:
        return FAMILY, f"the right family ({family}); it was {actual}"
    return 0.0, f"it was {actual}, not {report.mechanism}"


def _onset(course: Course, report: Report) -> Scored:
    if course.onset_s is None or report.started_at is None:
        return 0.0, "no time was given"
    error = abs(report.started_at - course.began_ts - course.onset_s)
    return onset_credit(error / course.length_s), f"off by {error / 60:.1f} world minutes"


def onset_credit(error_share: float) -> float:
    """1 up to ONSET_FULL, 0 from ONSET_ZERO, between them falling with the order of magnitude."""
    if error_share <= ONSET_FULL:
        return 1.0
    span = math.log(ONSET_ZERO / ONSET_FULL)
    return max(0.0, 1.0 - math.log(error_share / ONSET_FULL) / span)


def _segment(truth: Truth, report: Report) -> Scored:
    actual, claimed = _pairs(truth.segment), _pairs(report.segment)
    if actual == claimed:
        return 1.0, "whom it hit is right"
    wanted = "everyone" if not actual else ", ".join(f"{c}={v}" for c, v in sorted(actual))
    if not actual or not claimed:
        return 0.0, f"it hit {wanted}"
    same = len(actual & claimed)
    columns = len({c for c, _ in actual} & {c for c, _ in claimed})
    overlap = 2 * same / (len(actual) + len(claimed))
    if same == 0 and columns:
        return 0.25, f"the right column, but it hit {wanted}"
    return overlap, f"it hit {wanted}"


def _pairs(segment: dict[str, str | list[str]]) -> set[tuple[str, str]]:
    return {
        (column, value)
        for column, values in segment.items()
        for value in ([values] if isinstance(values, str) else values)
    }


def _evidence(strengths: Sequence[Strength]) -> Scored:
    """The mean: what says nothing makes the case weaker."""
    if not strengths:
        return 0.0, "no evidence was given"
    told = [f"“{s.claim[:60]}” {s.value:.2f} ({s.why})" for s in strengths]
    return sum(s.value for s in strengths) / len(strengths), "; ".join(told[:3])


def _confidence(right: bool, report: Report) -> Scored:
    """Brier's score, at best where confidence is the probability of being right. Source: Brier, 1950."""
    sure = report.confidence
    why = f"{sure:.0%} sure of a verdict that is {'right' if right else 'wrong'}"
    return 1.0 - (sure - right) ** 2, why
