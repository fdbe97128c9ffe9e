"""Grading by program: a report and what was done, against the truth. Pure, the same every time.

Each item earns 0..max; the maxima of a scenario sum to 1. Whatever an item says about the cause
counts only where the report's verdict (incident or not) is right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox.drill import taxonomy
from sandbox.drill.patterns import ActionPattern, parse_action
from sandbox.drill.report import Report
from sandbox.drill.scenario import Scenario, Truth

# Maxima by item. impact and evidence have their place, and no weight yet.
INCIDENT_WEIGHTS = {
    "detection": 0.10, "component": 0.20, "mechanism": 0.20, "onset": 0.15, "segment": 0.10,
    "mitigation": 0.20, "side_effects": 0.05, "impact": 0.0, "evidence": 0.0,
}  # fmt: skip
NULL_WEIGHTS = {
    "detection": 0.50, "component": 0.0, "mechanism": 0.15, "onset": 0.0, "segment": 0.0,
    "mitigation": 0.0, "side_effects": 0.35, "impact": 0.0, "evidence": 0.0,
}  # fmt: skip

NEIGHBOUR = 0.4  # credit for the component next door
FAMILY = 0.4  # credit for another mechanism of the same family, or for the family itself
ONSET_FULL = 0.02  # error up to this share of the drill's length is none
ONSET_ZERO = 0.30  # from this share on it earns nothing
PENALISED = 0.5  # of the item, for each action that the scenario penalises
NEEDLESS = 0.25  # of the item, for each action that neither helps nor is known to harm


@dataclass(frozen=True)
class Action:
    """One thing the trainee did. at_s: world seconds since the drill began. text: as it was typed.
    forms: every form that it counts as, the one typed and what it came to, as (operation, arguments)."""

    at_s: float
    text: str
    forms: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    @classmethod
    def of(
        cls, at_s: float, op: str, arguments: Mapping[str, str], effects: Iterable[str] = ()
    ) -> Action:
        """effects: what it came to, each written as an action."""
        typed = " ".join(
            (op, *(f"{k}={v}" for k, v in arguments.items() if k not in ("target", "key")))
        )
        forms = [(op, dict(arguments)), *(parse_action(text) for text in effects)]
        return cls(at_s, typed, tuple((o, tuple(sorted(a.items()))) for o, a in forms))

    def is_one_of(self, patterns: Iterable[str]) -> bool:
        """True when a form of it matches one of the patterns."""
        wanted = [ActionPattern.parse(text) for text in patterns]
        return any(p.matches(op, dict(arguments)) for p in wanted for op, arguments in self.forms)


@dataclass(frozen=True)
class Course:
    """How a drill went. Times are world seconds since it began.

    began_ts: world seconds since the epoch at its beginning. length_s: what the trainee had. onset_s:
    when the fault began, None without one. paged_s: when the page came. filed_s: when the report came.
    """

    began_ts: float
    length_s: float
    onset_s: float | None
    paged_s: float
    filed_s: float
    actions: tuple[Action, ...] = ()


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


def grade(scenario: Scenario, course: Course, report: Report) -> Grade:
    """What the report and the actions are worth.

    A drill whose fault was left out has no onset: then the right answer is that nothing is wrong.
    """
    truth = scenario.truth
    incident = truth.incident and course.onset_s is not None
    weights = INCIDENT_WEIGHTS if incident else NULL_WEIGHTS
    right = report.incident == incident
    parts = {
        "detection": _detection(incident, course, report),
        "component": _component(truth, report),
        "mechanism": _mechanism(truth, report, incident),
        "onset": _onset(course, report),
        "segment": _segment(truth, report),
        "mitigation": _mitigation(scenario, course),
        "side_effects": _side_effects(scenario, course, incident),
        "impact": (0.0, "not graded yet"),
        "evidence": (0.0, "not graded yet"),
    }
    items = []
    for name, highest in weights.items():
        share, why = parts[name]
        if not right and name in ("component", "mechanism", "onset", "segment"):
            share, why = 0.0, "counts only with the right verdict"
        if not right and name == "side_effects":
            share, why = 0.0, "leaving things alone counts only with the right verdict"
        if highest == 0 and name not in ("impact", "evidence"):
            why = "has no part in a drill without an incident"
        items.append(Item(name, round(highest * share, 4), highest, why))
    return Grade(tuple(items))


Scored = tuple[float, str]  # share 0..1 of an item, and why


def _detection(incident: bool, course: Course, report: Report) -> Scored:
    if report.incident != incident:
        return 0.0, "an incident was missed" if incident else "a false alarm was reported"
    if not incident:
        return 1.0, "rightly reported that nothing was wrong"
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


def _mitigation(scenario: Scenario, course: Course) -> Scored:
    if course.onset_s is None:
        return 0.0, "nothing was there to mitigate"
    for action in sorted(course.actions, key=lambda a: a.at_s):
        if not course.onset_s <= action.at_s <= course.filed_s:
            continue
        if action.is_one_of(scenario.accept):
            took = (action.at_s - course.onset_s) / course.length_s
            promptness = 1.0 - min(1.0, max(0.0, took - 0.3) / 0.6)
            return 0.5 + 0.5 * promptness, (
                f"`{action.text}`, {(action.at_s - course.onset_s) / 60:.0f} world minutes after it began"
            )
    return 0.0, f"nothing was done that helps; `{scenario.accept[0]}` would have"


def _side_effects(scenario: Scenario, course: Course, incident: bool) -> Scored:
    harm, blamed = 0.0, []
    for action in course.actions:
        harmful = action.is_one_of(scenario.penalise)
        if incident and action.is_one_of(scenario.accept):
            continue
        harm += PENALISED if harmful else NEEDLESS
        blamed.append(f"`{action.text}` {'does harm' if harmful else 'was not needed'}")
    return max(0.0, 1.0 - harm), "; ".join(blamed[:4]) or "no needless action"
