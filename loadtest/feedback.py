"""When a client sends what its user did: once it has happened, and in good time before the user asks for more.

Both backends send by this: Locust's users and those of a virtual run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from loadtest.sessions import Reaction

GATHER_S = 0.2  # wall seconds from the first of several things to the call that sends them, at most
LATE_S = 1.0  # the same of what is done when the user has long asked for more, or has left: nobody waits for it
LEAD_S = 0.05  # wall seconds that this call is on its way before the user asks for more, at least
MOST = 400  # events of one call


class Sending(NamedTuple):
    """One call. ts: world seconds of its send, none of what it tells is later. numbers: which of the
    reactions handed in it tells, in the order in which they happened."""

    ts: float
    numbers: tuple[int, ...]


def sendings(reactions: Sequence[Reaction], answered_ts: float, next_ts: float, speed: float) -> list[Sending]:
    """The calls that tell the reactions to one answer, in the order of time, each reaction once.

    answered_ts, next_ts: world seconds of the answer and of the user's next request, inf where they left.
    speed: world seconds per wall second. What is done within GATHER_S of each other goes together, and LEAD_S
    before the next request what was done before it; what is done later than that, within LATE_S.
    """
    order = sorted(range(len(reactions)), key=lambda n: reactions[n].after_s)
    calls: list[Sending] = []
    at = 0
    while at < len(order):
        first_ts = answered_ts + reactions[order[at]].after_s
        late = first_ts >= next_ts or (calls and next_ts == math.inf)
        ts = first_ts + (LATE_S if late else GATHER_S) * speed
        if not late:
            ts = max(first_ts, min(ts, next_ts - LEAD_S * speed))
        begin = at
        while at < len(order) and at - begin < MOST and answered_ts + reactions[order[at]].after_s <= ts:
            at += 1
        calls.append(Sending(ts, tuple(order[begin:at])))
    return calls


def event_id(request_id: str, kind: str, number: int) -> str:
    """Id of the event that a reaction becomes. number: of the reaction among those to that request."""
    return f"{request_id[:24]}-{kind[:3]}-{number}"
