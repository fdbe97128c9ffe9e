"""What else it could have been: a scenario with a look-alike in place of its fault, as the pack arms it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from faults.catalogue import CATALOGUE
from sandbox.drill.scenario import taxonomy
from sandbox.drill.scenario.scenario import Scenario, Step
from sandbox.drill.scenario.truth import Cause

MOST_FOR_A_WORD = 2  # look-alikes that are run for one word of a report


class Donor(NamedTuple):
    """Where a fault is armed for harm: the step, the cause that it is there, and the scenario."""

    step: Step
    cause: Cause
    scenario: Scenario


def donor(name: str, scenario: Scenario, pack: Iterable[Scenario]) -> Donor | None:
    """Another scenario that arms this fault."""
    for other in pack:
        for step in other.timeline:
            if other.id == scenario.id or not step.harmful or not step.fault or step.fault.name != name:
                continue
            cause = next((c for c in other.truth.causes if c.onset_s == step.at_s), None)
            if cause is not None:
                return Donor(step, cause, other)
    return None


def variant(scenario: Scenario, look_alike: Step) -> Scenario:
    """The scenario with the steps that do harm replaced by another one, at the first one's time. Not checked
    as a whole: its truth is another's."""
    onset_s = scenario.truth.onset_s
    assert onset_s is not None
    kept = [s for s in scenario.timeline if not s.harmful]
    timeline = sorted([*kept, look_alike.later(onset_s - look_alike.at_s)], key=lambda s: s.at_s)
    return scenario.model_copy(update={"timeline": tuple(timeline)})


def runnable(scenario: Scenario, pack: Iterable[Scenario]) -> dict[str, Donor]:
    """Its look-alikes that some scenario of the pack arms, by name of the fault."""
    known = list(pack)
    found = {name: donor(name, scenario, known) for name in scenario.look_alikes if name in CATALOGUE}
    return {name: of for name, of in found.items() if of is not None}


def meant(word: str, scenario: Scenario, pack: Iterable[Scenario]) -> list[Donor]:
    """What stands for a component, a mechanism or a family of a report: those that the scenario names as
    look-alikes first. Empty where the pack arms none."""
    known = list(pack)
    others = [name for name in CATALOGUE if name not in scenario.look_alikes]
    found = []
    for name in (*scenario.look_alikes, *others):
        of = donor(name, scenario, known) if name in CATALOGUE else None
        if of is not None and is_called(word, of.cause) and not is_true(of.cause, scenario):
            found.append(of)
    return found[:MOST_FOR_A_WORD]


def is_called(word: str, cause: Cause) -> bool:
    """Whether a word of a report names that cause."""
    family = taxonomy.family_of(cause.mechanism)
    return word in (cause.component, cause.mechanism, family)


def is_true(cause: Cause, scenario: Scenario) -> bool:
    """Whether it is one of the scenario's own."""
    return any((c.component, c.mechanism) == (cause.component, cause.mechanism) for c in scenario.truth.causes)
