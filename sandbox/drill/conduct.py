"""What was done is worth what it saved, less what it broke. Pure.

With a twin both are counted in harm; where that is not clear of the noise, or without a twin, by whether
an accepted action came while the fault was at work, and by what the scenario penalises.
"""

from __future__ import annotations

import math

from sandbox.drill.comparison import TwinResult
from sandbox.drill.deeds import Course
from sandbox.drill.harm import GOODS, SLOW
from sandbox.drill.scenario import Scenario

PENALISED = 0.5  # of the item, for each action that the scenario penalises
NEEDLESS = 0.25  # of the item, for each action that neither helps nor is known to harm
BESIDE_HARM = 0.4  # of both, where what the actions broke is counted too
TRIFLE = 0.02  # of a healthy day's total: that much more harm is as bad as the incident at least
SAVED = (*GOODS, "users_lost", "policy_breaches", "exposure_gap", SLOW)
BROKEN = (*GOODS, "users_lost", "policy_breaches")
MOST_SURE = 20.0  # standard errors beyond which a metric is no surer

Scored = tuple[float, str]  # share 0..1, and why


def mitigation(scenario: Scenario, course: Course, twin: TwinResult | None) -> Scored:
    """How much of the harm was averted that could be, less for shots in the dark."""
    if course.onset_s is None:
        return 0.0, "nothing was there to mitigate"
    judged = _by_harm(twin) if twin is not None else None
    share, why = judged or _by_state(scenario, course)
    if twin is not None and judged is None:
        why += "; by what was done, for no harm stood out of the noise"
    blame, _ = _blame(scenario, course, incident=True)
    if share > 0 and blame > 0:
        why += f"; beside {blame / NEEDLESS:.0f} shots in the dark"
    return share * max(0.0, 1.0 - blame), why


def side_effects(
    scenario: Scenario, course: Course, twin: TwinResult | None, incident: bool
) -> Scored:
    """All of it for who did nothing but what helps."""
    blame, told = _blame(scenario, course, incident)
    if twin is not None:
        blame *= BESIDE_HARM
        broken, metric = _broken(twin)
        if broken > 0:
            blame += broken
            more = twin.wrongly_done[metric]
            told = [f"cost {more.estimate:.4g} {metric} by themselves", *told]
    return max(0.0, 1.0 - blame), "; ".join(told[:4]) or "no needless action"


def _by_harm(twin: TwinResult) -> Scored | None:
    """Harm saved over harm that could be saved, from when the evidence was there, over the metrics that
    tell: in which the incident does harm, and some of it can be saved. None when none does.

    What could be saved is known within a standard error, and as little as that allows is asked for: two arms
    that were both repaired long ago still differ by chance."""
    shares, weights, told = [], [], []
    for metric in SAVED:
        could = twin.reachable[metric]
        if could.clear and twin.unmitigated[metric].clear:
            share = min(1.0, max(0.0, twin.saved[metric].estimate / (could.estimate - could.se)))
            shares.append(share)
            weights.append(min(could.z, MOST_SURE))
            told.append((weights[-1], f"{share:.0%} of {could.estimate:.4g} {metric}"))
    if not shares:
        return None
    share = sum(s * w for s, w in zip(shares, weights, strict=True)) / sum(weights)
    surest = ", ".join(text for _, text in sorted(told, reverse=True)[:2])
    return share, f"saved {surest} that could still be saved once the evidence was there"


def _by_state(scenario: Scenario, course: Course) -> Scored:
    assert course.onset_s is not None
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


def _blame(scenario: Scenario, course: Course, incident: bool) -> tuple[float, list[str]]:
    """What needless and penalised actions cost, 0 or more, and which they are."""
    blame, told = 0.0, []
    for action in course.actions:
        if incident and action.is_one_of(scenario.accept):
            continue
        harmful = action.is_one_of(scenario.penalise)
        blame += PENALISED if harmful else NEEDLESS
        told.append(f"`{action.text}` {'does harm' if harmful else 'was not needed'}")
    return blame, told


def _broken(twin: TwinResult) -> tuple[float, str]:
    """The worst of what the wrong actions add by themselves, as a share of the harm had nothing been
    done, and of which metric."""
    worst, of = 0.0, ""
    for metric in BROKEN:
        more = twin.wrongly_done[metric]
        scale = max(twin.unmitigated[metric].estimate, TRIFLE * abs(twin.healthy[metric]), 1e-9)
        if more.clear and math.isfinite(more.estimate) and more.estimate / scale > worst:
            worst, of = more.estimate / scale, metric
    return worst, of
