"""What of a scenario decides how its runs go. The rest is what is told about them, and may be worded anew. Pure."""

from __future__ import annotations

from typing import Any

from sandbox.drill.scenario.scenario import Scenario, Step

PLAYS = ("minutes", "world_rate", "load", "replicas", "settings", "timeline", "truth")
_OF_A_FAULT = ("fault", "scope", "share", "onset", "ends_on", "until_s")


def plays(scenario: Scenario, faults: bool) -> dict[str, Any]:
    """A document (JSON) that two scenarios share whose runs are the same, world, seed and actions being so. faults:
    whether what does harm is in force; of a step that then does nothing nothing is left. Of the truth: whom the ledger
    keeps an eye on."""
    whole = scenario.model_dump(mode="json", include=set(PLAYS) - {"timeline", "truth"})
    steps = {str(n): of for n, step in enumerate(scenario.timeline, 1) if (of := _played(step, faults)) is not None}
    return {**whole, "timeline": steps, "watched": [cause.segment for cause in scenario.truth.causes]}


def _played(step: Step, faults: bool) -> dict[str, Any] | None:
    if faults or step.anyway or step.fault is None:
        return step.model_dump(mode="json")
    if step.change is None and step.release is None:
        return None
    return step.model_dump(mode="json", exclude=set(_OF_A_FAULT))
