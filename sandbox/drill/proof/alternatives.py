"""What else could be done in a scenario: legal actions that a proof holds the accepted one against."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.runner import LOAD
from sandbox.drill.scenario.patterns import ActionPattern
from sandbox.drill.scenario.scenario import Scenario

MOST_SURE = 10.0  # standard deviations beyond which a metric weighs no more
_RESTARTED = {"model", "ranking", "retrieval", "rules", "features", "gateway", "stream"}


def alternatives(scenario: Scenario) -> tuple[str, ...]:
    """Actions, each once: what is accepted, each way back from what was released until the last onset, what
    goes by itself in many an incident (a restart, another path, another index, no backlog)."""
    onset_s = max(c.onset_s for c in scenario.truth.causes if c.onset_s is not None)
    found = [text for text in scenario.helpful if _typed(text)]
    found += [
        f"revert target={step.target} key={step.release.key}"
        for step in scenario.timeline
        if step.release is not None and step.at_s <= onset_s
    ]
    for cause in scenario.truth.causes:
        caller, edge, callee = cause.component.partition("->")
        if edge:
            found.append(f"path caller={caller} callee={callee} path=b")
        found += [f"restart service={name}" for name in (caller, callee) if name in _RESTARTED]
    armed = {s.service for s in scenario.timeline if s.harmful and s.service != LOAD}
    found += [f"restart service={name}" for name in sorted(armed & _RESTARTED)]
    return tuple(dict.fromkeys([*found, "rebuild-index", "skip-backlog"]))


def averted(incident: Mapping[str, tuple[float, float]], after: Mapping[str, float], least_z: float) -> float | None:
    """Share of the harm that an action averts, over the metrics whose harm stands out, weighted by how far.

    incident: metric -> harm and its z. after: metric -> harm with the action. At most 1, below 0 where it
    makes things worse; None where no harm stands out.
    """
    weighed = [
        (min(z, MOST_SURE), max(-1.0, min(1.0, (was - after[metric]) / was)))
        for metric, (was, z) in incident.items()
        if z >= least_z and was > 0 and metric in after
    ]
    if not weighed:
        return None
    return sum(w * share for w, share in weighed) / sum(w for w, _ in weighed)


def _typed(text: str) -> bool:
    """Whether it can be typed as it stands: no wildcard, and no `set`, which says what an action came to."""
    pattern = ActionPattern.parse(text)
    return pattern.concrete and pattern.op != "set"
