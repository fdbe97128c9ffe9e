"""Points that a scenario gives away or keeps back, as far as they follow from the file alone. Pure but for the
core pack, against which an answer without looking is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.drill.grading.grade import grade
from sandbox.drill.play.deeds import ActionTaken, Played
from sandbox.drill.play.report import Report
from sandbox.drill.scenario.draft import Draft
from sandbox.drill.scenario.finding import Finding
from sandbox.drill.scenario.patterns import parse_action
from sandbox.drill.scenario.scenario import Scenario

ALL, NOTHING, LITTLE, BLIND = 0.95, 0.05, 0.35, 0.6
_ACTS_AFTER_S, _REPORTS_AFTER_S = 900.0, 300.0
HAVOC = ("restart service=redis", "restart service=model", "promote artifact=ranker version=rk-0",
         "disable-source source=ann", "skip-backlog")  # fmt: skip


def findings(draft: Draft) -> Iterator[Finding]:
    """Of a scenario that can be read as a whole."""
    scenario = draft.scenario
    if scenario is None:
        return
    best = [action for _, action in scenario.best_response]
    knows = _score(scenario, best, _right(scenario))
    if knows < ALL:
        yield draft.warning("points", ("truth",), f"{knows:.2f} for the truth and the accepted actions", f"{ALL:g} or more",
                            "see that nothing accepted is penalised, and that there is time")  # fmt: skip
    if scenario.truth.incident:
        idle = _score(scenario, [], Report(incident=False, confidence=0.8))
        if idle > NOTHING:
            yield draft.warning("points", ("truth",), f"{idle:.2f} for doing and finding nothing", f"at most {NOTHING:g}",
                                "let the fault do harm that a trainee can end")  # fmt: skip
    for written in (Report.blaming("monitoring", "dead-metric", 0), Report(incident=False, confidence=1.0)):
        havoc = _score(scenario, HAVOC, written)
        if havoc >= LITTLE:
            yield draft.warning("points", ("penalise",), f"{havoc:.2f} for havoc and a wrong report", f"less than {LITTLE:g}",
                                "penalise what breaks things: restarts, promotions, sources switched off")  # fmt: skip
            break
    blind = _blind(scenario)
    if blind > BLIND:
        yield draft.warning("points", ("truth",), f"{blind:.2f} for an answer without looking", f"at most {BLIND:g}",
                            "the cause must not be the last change, nor the pack's usual one")  # fmt: skip


def _score(scenario: Scenario, actions: Sequence[str], report: Report) -> float:
    """The drill as planned; the actions a quarter of an hour after the page, the report soon after."""
    at_s = scenario.pager.at_s + _ACTS_AFTER_S
    deeds = tuple(ActionTaken.of(at_s, *parse_action(text)) for text in actions)
    played = Played(0.0, scenario.length_s, scenario.truth.onset_s, scenario.pager.at_s, at_s + _REPORTS_AFTER_S, deeds)
    return float(grade(scenario, played, report).score)


def _right(scenario: Scenario) -> Report:
    if not scenario.truth.incident:
        return Report(incident=False)
    causes = [
        {"component": c.component, "mechanism": c.mechanism, "segment": c.segment, "started_at": c.onset_s}
        for c in scenario.truth.causes
    ]
    known_s = max(scenario.pager.at_s, *(c.onset_s or 0.0 for c in scenario.truth.causes))
    return Report.model_validate({"incident": True, "causes": causes, "detected_at": known_s + _REPORTS_AFTER_S})


def _blind(scenario: Scenario) -> float:
    from sandbox.drill.grading import baseline
    from sandbox.drill.scenario import library

    others = [s for s in library.load_all().values() if s.id != scenario.id]
    return float(baseline.blind_answer(scenario, baseline.planned(scenario), [*others, scenario]).score)
