"""One fault, one truth: scenarios that arm the same fault in the same place say the same of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.drill.scenario.patterns import ActionPattern
from sandbox.drill.scenario.scenario import Scenario, Step
from sandbox.drill.scenario.truth import Cause


def contradictions(scenario: Scenario, pack: Iterable[Scenario]) -> list[str]:
    """What other scenarios say otherwise of the faults of this one; empty when they agree."""
    found = []
    others = [other for other in pack if other.id != scenario.id]
    for step, cause in _armed(scenario):
        for other in others:
            for their_step, theirs in _armed(other):
                if _place(step) == _place(their_step):
                    found += _between(scenario, cause, other, theirs)
    return list(dict.fromkeys(found))


def _armed(scenario: Scenario) -> list[tuple[Step, Cause]]:
    by_onset = {cause.onset_s: cause for cause in scenario.truth.causes}
    return [(s, by_onset[s.at_s]) for s in scenario.timeline if s.harmful and s.at_s in by_onset]


def _place(step: Step) -> tuple[str, str]:
    assert step.fault is not None
    return step.fault.name, step.target


def _between(scenario: Scenario, cause: Cause, other: Scenario, theirs: Cause) -> list[str]:
    found = []
    for field in ("component", "mechanism"):
        mine, its = getattr(cause, field), getattr(theirs, field)
        if mine != its:
            found.append(f"the {field} is {mine} here and {its} in {other.id}, for one fault in one place")
    for here, there, name in ((scenario, other, "there"), (other, scenario, "here")):
        of = cause if here is scenario else theirs
        for text in here.accepted_for(of):
            if _penalised(text, there):
                found.append(f"`{text}` is accepted in {here.id} and penalised {name} ({there.id})")
    return found


def _penalised(text: str, scenario: Scenario) -> bool:
    action = ActionPattern.parse(text)
    return any(ActionPattern.parse(p).matches(action.op, dict(action.arguments)) for p in scenario.penalise)
