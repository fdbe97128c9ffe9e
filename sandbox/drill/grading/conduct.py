"""What was done is worth what it saved, less what it broke. Pure.

With a twin both are counted in harm: an action is needless when the run without it is no worse. Without one,
or where no harm is clear of the noise, by whether an accepted action came while the fault was at work, and by
what the scenario penalises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.drill.play.deeds import ActionTaken, Played
from sandbox.drill.scenario.harms import GOODS, SEGMENT_EXPOSURE, SLOW, UNITS
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.scenario.truth import Cause
from sandbox.drill.twin.comparison import StepHarm, TwinResult

PENALISED = 0.5  # of the item, for each action that the scenario penalises and that did not help
NEEDLESS = 0.25  # of the item, for each action without which nothing would be worse
BESIDE_HARM = 0.4  # of both, where what the actions broke is counted too
TRIFLE = 0.02  # of a healthy day's total: that much more harm is as bad as the incident at least
SAVED = (*GOODS, "users_lost", "policy_breaches", "exposure_gap", SLOW, SEGMENT_EXPOSURE)
BROKEN = (*GOODS, "users_lost", "policy_breaches")
MOST_SURE = 20.0  # standard errors beyond which a metric is no surer
HELPS_Z = 3.0  # standard errors, and
HELPS_SHARE = 0.2  # of the harm had nothing been done: that much an action saves that is not needless
ACCEPTED_SHARE = 0.05  # the same of one that is accepted, which may be against a lesser cause

Scored = tuple[float, str]  # share 0..1, and why


@dataclass(frozen=True)
class Deed:
    """An action and what it came to. helped: the run without it is worse. known: by a twin in which harm
    stood out; otherwise it is the scenario that says so."""

    action: ActionTaken
    helped: bool
    accepted: bool
    penalised: bool
    known: bool

    @property
    def blame(self) -> float:
        """0 for what helps, for what is accepted where nothing shows that it was in vain, and for a look: what that costs
        is counted beside."""
        if self.helped or (self.accepted and not self.known):
            return 0.0
        if self.action.looks and not self.penalised:
            return 0.0
        return PENALISED if self.penalised else NEEDLESS

    @property
    def why(self) -> str:
        if self.penalised:
            return f"`{self.action.text}` does harm"
        return f"`{self.action.text}` was not needed" + (": without it nothing is worse" if self.known else "")


def mitigation(scenario: Scenario, played: Played, twin: TwinResult | None) -> Scored:
    """How much of the harm was averted that could be, less for shots in the dark."""
    if played.onset_s is None:
        return 0.0, "nothing was there to mitigate"
    judged = _by_harm(twin) if twin is not None else None
    share, why = judged or _by_state(scenario, played)
    if twin is not None and judged is None:
        why += "; by what was done, for no harm stood out of the noise"
    blamed = [d for d in deeds(scenario, played, twin, incident=True) if d.blame > 0]
    if share > 0 and blamed:
        why += f"; beside {len(blamed)} shot{'s' * (len(blamed) > 1)} in the dark"
    return share * max(0.0, 1.0 - sum(d.blame for d in blamed)), why


def side_effects(scenario: Scenario, played: Played, twin: TwinResult | None, incident: bool) -> Scored:
    """All of it for who did nothing but what helps."""
    done = deeds(scenario, played, twin, incident)
    blamed = [d for d in done if d.blame > 0]
    blame, told = sum(d.blame for d in blamed), [d.why for d in blamed]
    if twin is not None:
        blame *= BESIDE_HARM
        broken, metric, more = _broken(twin, done)
        if broken > 0:
            blame += broken
            told = [f"cost {more:.4g} {metric} ({UNITS[metric]}) by themselves", *told]
    return max(0.0, 1.0 - blame), "; ".join(told[:4]) or "no needless action"


def deeds(scenario: Scenario, played: Played, twin: TwinResult | None, incident: bool) -> list[Deed]:
    """Each action taken, judged by the step of the twin that it belongs to. In a step of several
    those that the scenario accepts are the ones that helped, where there are such."""
    found: list[Deed] = []
    for first, step in _steps(played.actions, twin):
        actions = played.actions[first : step.n_after if step else len(played.actions)]
        accepted = [incident and a.is_one_of(scenario.helpful) for a in actions]
        known = twin is not None and step is not None and incident and _tells(twin)
        least = ACCEPTED_SHARE if any(accepted) else HELPS_SHARE
        helped = known and step is not None and twin is not None and _helps(step, twin, least)
        for action, fits in zip(actions, accepted, strict=True):
            found.append(
                Deed(action, helped and (fits or not any(accepted)), fits, action.is_one_of(scenario.penalise), known)
            )
    return found


def _steps(actions: Sequence[ActionTaken], twin: TwinResult | None) -> list[tuple[int, StepHarm | None]]:
    """First action of each step, and what the step came to; all are one step where no twin tells."""
    if not actions:
        return []
    if twin is None or not twin.steps:
        return [(0, None)]
    return [(step.n_before, step) for step in twin.steps]


def _tells(twin: TwinResult) -> bool:
    """Whether there is a harm by which an action can be seen to help."""
    return any(twin.unmitigated[m].clear and _could(twin, m) > 0 for m in SAVED)


def _helps(step: StepHarm, twin: TwinResult, least: float) -> bool:
    """Whether the step saves some harm that the incident does, clear of noise and more than a trifle."""
    return any(
        twin.unmitigated[m].clear
        and step.saved[m].z >= HELPS_Z
        and step.saved[m].estimate >= least * twin.unmitigated[m].estimate
        for m in SAVED
    )


def _could(twin: TwinResult, metric: str) -> float:
    """How much could be saved, at least: by the best response or by what was done, 0 where it is not clear.
    It is known within a standard error, and as little as that allows is asked for: two arms that were both
    repaired long ago still differ by chance."""
    sure = [e for e in (twin.reachable[metric], twin.saved[metric]) if e.clear]
    return max((e.estimate - e.se for e in sure), default=0.0)


def _by_harm(twin: TwinResult) -> Scored | None:
    """Harm saved over harm that could be saved, from when the evidence was there, over the metrics that
    tell: in which the incident does harm, and some of it can be saved. None when none does."""
    shares, weights, told = [], [], []
    for metric in SAVED:
        could = _could(twin, metric)
        if could > 0 and twin.unmitigated[metric].clear:
            surest = max(twin.reachable[metric].z, twin.saved[metric].z)
            share = min(1.0, max(0.0, twin.saved[metric].estimate / could))
            shares.append(share)
            weights.append(min(surest, MOST_SURE))
            told.append((weights[-1], f"{share:.0%} of {could:.4g} {metric} ({UNITS[metric]})"))
    if not shares:
        return None
    share = sum(s * w for s, w in zip(shares, weights, strict=True)) / sum(weights)
    surest_two = ", ".join(text for _, text in sorted(told, reverse=True)[:2])
    return share, f"saved {surest_two} that could still be saved once the evidence was there"


def _by_state(scenario: Scenario, played: Played) -> Scored:
    """By whether something accepted was done against each cause while it was at work."""
    parts = [_against(scenario, played, cause) for cause in scenario.truth.causes]
    return sum(share for share, _ in parts) / len(parts), "; ".join(why for _, why in parts)


def _against(scenario: Scenario, played: Played, cause: Cause) -> Scored:
    accepted = scenario.accepted_for(cause)
    onset_s = played.onset_s if cause is scenario.truth.first else cause.onset_s
    assert onset_s is not None
    for action in sorted(played.actions, key=lambda a: a.at_s):
        if onset_s <= action.at_s <= played.filed_s and action.is_one_of(accepted):
            took = (action.at_s - onset_s) / played.length_s
            promptness = 1.0 - min(1.0, max(0.0, took - 0.3) / 0.6)
            minutes = (action.at_s - onset_s) / 60
            return 0.5 + 0.5 * promptness, (f"`{action.text}`, {minutes:.0f} world minutes after it began")
    return 0.0, f"nothing was done that helps; `{accepted[0]}` would have"


def _broken(twin: TwinResult, done: Sequence[Deed]) -> tuple[float, str, float]:
    """The worst of what steps without a helpful or accepted action add by themselves, as a share of the harm
    had nothing been done; of which metric, and how much."""
    worst, of, amount = 0.0, "", 0.0
    for metric in BROKEN:
        scale = max(twin.unmitigated[metric].estimate, TRIFLE * abs(twin.healthy[metric]), 1e-9)
        more = sum(
            step.cost[metric].estimate
            for step in twin.steps
            if step.cost[metric].clear
            and math.isfinite(step.cost[metric].estimate)
            and not any(d.helped or d.accepted for d in done[step.n_before : step.n_after])
        )
        if more / scale > worst:
            worst, of, amount = more / scale, metric, more
    return worst, of, amount
