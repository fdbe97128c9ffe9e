"""What a report says of the causes, against the causes there were. Pure.

Each true cause is held against one that is named, in the way that is best for the report, so that their order
does not matter. What an item earns is the sum over such pairs, over the number of causes there were or were
named, whichever is more: who names everything has named nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from sandbox.drill.play.report import NamedCause
from sandbox.drill.scenario import segments, taxonomy
from sandbox.drill.scenario.truth import Cause

NEIGHBOUR = 0.4  # credit for the component next door
FAMILY = 0.4  # credit for another mechanism of the same family, or for the family itself
ONSET_FULL_S = 240.0  # world seconds: within a few readings of an indicator, one a world minute
ONSET_ZERO_S = 1_200.0  # from which on a time earns nothing

Scored = tuple[float, str]  # share 0..1 of an item, and why
Judge = Callable[[Cause, NamedCause, float], Scored]


def cause_shares(
    causes: Sequence[Cause], named: Sequence[NamedCause], weights: dict[str, float], began_ts: float
) -> dict[str, Scored]:
    """By item (component, mechanism, onset, segment): its share, 0..1, and why. weights: of these items."""
    judged = {item: [[judge(c, n, began_ts) for n in named] for c in causes] for item, judge in JUDGES.items()}
    worth = np.array(
        [
            [sum(weights[item] * judged[item][i][j][0] for item in JUDGES) for j in range(len(named))]
            for i in range(len(causes))
        ]
    )
    pairs = _best_pairs(worth)
    most = max(len(causes), len(named))
    found = {}
    for item, table in judged.items():
        share = sum(table[i][j][0] for i, j in pairs) / most
        told = [table[i][j][1] for i, j in pairs]
        missed = [c for i, c in enumerate(causes) if i not in {i for i, _ in pairs}]
        told += [f"missed: {_truth_of(item, c)}" for c in missed]
        if len(named) > len(causes):
            told.append(f"{len(named)} causes were named, {len(causes)} there were")
        found[item] = (share, "; ".join(told))
    return found


def _best_pairs(worth: np.ndarray) -> list[tuple[int, int]]:
    """Of causes and what is named, one to one, those worth most together. worth: float64 [causes, named]."""
    if worth.shape == (1, 1):
        return [(0, 0)]
    from scipy.optimize import linear_sum_assignment  # half a second that most grades need not wait

    causes, named = linear_sum_assignment(-worth)
    return [(int(i), int(j)) for i, j in zip(causes, named, strict=True)]


def component(cause: Cause, named: NamedCause, _began_ts: float) -> Scored:
    if named.component == cause.component:
        return 1.0, f"{cause.component} it was"
    near = taxonomy.are_neighbours(named.component, cause.component)
    if near or named.component in cause.neighbours:
        return NEIGHBOUR, f"{named.component} is next to {cause.component}, where it was"
    return 0.0, f"it was {cause.component}, not {named.component}"


def mechanism(cause: Cause, named: NamedCause, _began_ts: float) -> Scored:
    if named.mechanism == cause.mechanism:
        return 1.0, f"{cause.mechanism} it was"
    family = taxonomy.family_of(cause.mechanism)
    if taxonomy.family_of(named.mechanism) == family:
        return FAMILY, f"the right family ({family}); it was {cause.mechanism}"
    return 0.0, f"it was {cause.mechanism}, not {named.mechanism}"


def onset(cause: Cause, named: NamedCause, began_ts: float) -> Scored:
    if cause.onset_s is None or named.started_at is None:
        return 0.0, "no time was given"
    error_s = named.started_at - began_ts - cause.onset_s
    side = "early" if error_s < 0 else "late"
    it_was = f"it began {cause.onset_s / 60:.0f} world minutes into the drill"
    return onset_credit(abs(error_s)), f"{abs(error_s) / 60:.1f} world minutes too {side}, {it_was}"


def onset_credit(error_s: float) -> float:
    """1 up to ONSET_FULL_S, 0 from ONSET_ZERO_S, between them falling with the order of magnitude."""
    if error_s <= ONSET_FULL_S:
        return 1.0
    span = math.log(ONSET_ZERO_S / ONSET_FULL_S)
    return max(0.0, 1.0 - math.log(error_s / ONSET_FULL_S) / span)


def segment(cause: Cause, named: NamedCause, began_ts: float) -> Scored:
    """Whom another cause would have hit says nothing of this one."""
    if not component(cause, named, began_ts)[0] and not mechanism(cause, named, began_ts)[0]:
        return 0.0, f"it hit {segments.told(cause.segment)}; another cause was named"
    share = segments.overlap(cause.segment, named.segment)
    hit, said = segments.told(cause.segment), segments.told(named.segment)
    return share, f"it hit {hit}" if share == 1.0 else f"it hit {hit}, not {said}"


JUDGES: dict[str, Judge] = {"component": component, "mechanism": mechanism, "onset": onset, "segment": segment}


def _truth_of(item: str, cause: Cause) -> str:
    if item == "onset":
        return f"one began {(cause.onset_s or 0.0) / 60:.0f} world minutes in"
    return segments.told(cause.segment) if item == "segment" else str(getattr(cause, item))
