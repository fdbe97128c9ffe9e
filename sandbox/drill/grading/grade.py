"""Grading by program: a report and what was done, against the truth. Pure, the same every time.

Each item earns 0..max; the maxima of a scenario sum to 1. Whatever an item says about the cause
counts only where the report's verdict (incident or not) is right. `impact`, `evidence` and `ruled_out` need the
twin: without it they have no part, and the others are worth more. Hints that were taken cost HINT_PRICE each.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sandbox.drill.grading import conduct
from sandbox.drill.grading.causes import JUDGES, cause_shares
from sandbox.drill.grading.evidence import Strength
from sandbox.drill.grading.impact import impact_share, sizable
from sandbox.drill.play.deeds import HINT_PRICE, Played
from sandbox.drill.play.report import Report
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.scenario.truth import Truth
from sandbox.drill.twin.comparison import TwinResult

__all__ = ["Grade", "Item", "Looked", "Played", "grade"]

# Maxima by item, with a twin.
INCIDENT_WEIGHTS = {
    "detection": 0.10, "component": 0.15, "mechanism": 0.15, "onset": 0.10, "segment": 0.05,
    "mitigation": 0.15, "side_effects": 0.05, "impact": 0.10, "evidence": 0.07, "ruled_out": 0.03,
    "confidence": 0.05,
}  # fmt: skip
NULL_WEIGHTS = {
    "detection": 0.50, "component": 0.0, "mechanism": 0.0, "onset": 0.0, "segment": 0.0,
    "mitigation": 0.0, "side_effects": 0.45, "impact": 0.0, "evidence": 0.0, "ruled_out": 0.0,
    "confidence": 0.05,
}  # fmt: skip
CAUSE = ("component", "mechanism", "onset", "segment", "impact", "evidence", "ruled_out")


@dataclass(frozen=True)
class Looked:
    """How strong what the report quotes is. evidence: one for each statement. ruled_out: one for each thing
    that it was not; None where no look-alike could be run to tell. asked: one for each query that the report does not
    quote: for the debrief, not for the grade."""

    evidence: Sequence[Strength] = ()
    ruled_out: Sequence[Strength] | None = None
    asked: Sequence[Strength] = ()


@dataclass(frozen=True)
class Item:
    """score: 0..max, of hints below 0. why: for the debrief, with what was true."""

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
        return round(min(1.0, max(0.0, sum(item.score for item in self.items))), 4)


def grade(
    scenario: Scenario, played: Played, report: Report, twin: TwinResult | None = None, looked: Looked | None = None
) -> Grade:
    """What the report and the actions are worth.

    twin: the arms of this drill, None where none were run. looked: None where what the report quotes was not
    asked again. A drill whose fault was left out has no onset: then the right answer is that
    nothing is wrong.
    """
    incident = scenario.truth.incident and played.onset_s is not None
    right = report.incident == incident
    restraint = conduct.side_effects(scenario, played, twin, incident)
    full = weights(incident, _without(report, twin, looked))
    parts = {
        "detection": _detection(incident, played, report, restraint[0]),
        **_causes(scenario.truth, report, played, incident),
        "mitigation": conduct.mitigation(scenario, played, twin),
        "side_effects": restraint,
        "impact": impact_share(report.impact, twin) if full["impact"] and twin else _no_harm(twin),
        "evidence": _evidence(looked.evidence) if looked is not None else _NO_TWIN,
        "ruled_out": _ruled_out(looked),
        "confidence": _confidence(right, report),
    }
    items = []
    for name, highest in full.items():
        share, why = parts[name]
        if not right and name in CAUSE:
            share, why = 0.0, "counts only with the right verdict"
        if not right and name == "side_effects":
            share, why = 0.0, "leaving things alone counts only with the right verdict"
        if highest == 0 and not incident:
            why = "has no part in a drill without an incident"
        items.append(Item(name, round(highest * share, 4), round(highest, 4), why))
    if played.hints:
        price = -HINT_PRICE * played.hints
        items.append(Item("hints", price, 0.0, f"{played.hints} taken, {HINT_PRICE:.0%} each"))
    return Grade(tuple(items))


def weights(incident: bool, without: Collection[str] = ()) -> dict[str, float]:
    """Maxima by item; they sum to 1 whatever there is to grade with. without: items that have no part."""
    full = dict(INCIDENT_WEIGHTS if incident else NULL_WEIGHTS)
    full |= dict.fromkeys(without, 0.0)
    whole = sum(full.values())
    return {name: highest / whole for name, highest in full.items()}


Scored = tuple[float, str]  # share 0..1 of an item, and why
_NO_TWIN: Scored = (0.0, "not graded: no twin")


def _without(report: Report, twin: TwinResult | None, looked: Looked | None) -> set[str]:
    """Items that cannot be graded: without a twin, without a harm to size, without a look-alike to rule out,
    without a word on how sure the reporter is."""
    gradable = {
        "impact": twin is not None and bool(sizable(twin)),
        "evidence": looked is not None,
        "ruled_out": looked is not None and looked.ruled_out is not None,
        "confidence": report.confidence is not None,
    }
    return {name for name, there in gradable.items() if not there}


def _causes(truth: Truth, report: Report, played: Played, incident: bool) -> dict[str, Scored]:
    if truth.incident and not incident:  # the fault was left out: any benign reading is right
        benign = all(cause.benign for cause in report.causes)
        nothing = (float(benign), "nothing was at work")
        return dict.fromkeys(JUDGES, nothing)
    return cause_shares(truth.causes, report.causes, INCIDENT_WEIGHTS, played.began_ts)


def _no_harm(twin: TwinResult | None) -> Scored:
    return _NO_TWIN if twin is None else (0.0, "not graded: by the report no harm stood out")


def _detection(incident: bool, played: Played, report: Report, restraint: float) -> Scored:
    """restraint: share of the side effects. Who acts on a false alarm has not seen that it is one."""
    if report.incident != incident:
        return 0.0, "an incident was missed" if incident else "a false alarm was reported"
    if not incident:
        acted = "" if restraint == 1.0 else ", and yet acted as if something were"
        return restraint, f"rightly reported that nothing was wrong{acted}"
    assert played.onset_s is not None
    detected = played.filed_s
    if report.detected_at is not None:
        detected = min(detected, report.detected_at - played.began_ts)
    if detected < played.onset_s:
        return 0.6, "the incident was found, but it is said to have been seen before it began"
    took = (detected - played.onset_s) / played.length_s
    promptness = 1.0 - min(1.0, max(0.0, took - 0.25) / 0.5)
    return (0.6 + 0.4 * promptness, f"found {(detected - played.onset_s) / 60:.0f} world minutes after it began")


def _evidence(strengths: Sequence[Strength]) -> Scored:
    """The mean: what says nothing makes the case weaker."""
    if not strengths:
        return 0.0, "no evidence was given"
    told = [f"“{s.claim[:60]}” {s.value:.2f} ({s.why})" for s in strengths]
    return sum(s.value for s in strengths) / len(strengths), "; ".join(told[:3])


def _ruled_out(looked: Looked | None) -> Scored:
    """The mean, as of evidence; what is only said counts as saying nothing."""
    if looked is None:
        return _NO_TWIN
    if looked.ruled_out is None:
        return 0.0, "not graded: none of its look-alikes can be run"
    if not looked.ruled_out:
        return 0.0, "nothing was ruled out"
    told = [f"{s.claim[:40]} {s.value:.2f} ({s.why})" for s in looked.ruled_out]
    share = sum(s.value for s in looked.ruled_out) / len(looked.ruled_out)
    return share, "; ".join(told[:3])


def _confidence(right: bool, report: Report) -> Scored:
    """Brier's score, at best where confidence is the probability of being right. Source: Brier, 1950."""
    sure = report.confidence
    if sure is None:
        return 0.0, "not graded: nothing was said of it"
    why = f"{sure:.0%} sure of a verdict that is {'right' if right else 'wrong'}"
    return 1.0 - (sure - right) ** 2, why
