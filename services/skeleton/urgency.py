"""Who is turned away first where not all can be served: a share of the limit for each kind of call.

A kind is let in while fewer calls are in flight than its share of the limit; the rest is kept for what is more urgent.
First go retries and programs: who tries again keeps an overload alive, and a program can come later. Then, at the model,
goes the encoding of users: it comes early, so little work is lost with it, and it costs one of five candidate sources,
where a score that is missing costs the order of the whole page. Feedback is never turned away unless one asks for it: it is
little work, and a click that is not recorded is lost for good.
"""

from __future__ import annotations

from typing import Literal

FIRST, EARLY, LAST = 0.5, 0.75, 1.0
KEPT = None  # let in, and not counted
PROGRAM = "probe"  # clients that call themselves so are no people
Feedback = Literal["keep", "shed"]


def share(op: str, *, attempt: int, client: str, feedback: Feedback) -> float | None:
    """Of the limit, that a call may use; KEPT where no limit holds for it. attempt: of its caller, from 1. client: the
    program that asks, where it says so. feedback: whether it is kept, or goes first."""
    if op == "LogFeedback":
        return KEPT if feedback == "keep" else FIRST
    if attempt > 1 or client == PROGRAM:
        return FIRST
    return EARLY if op == "EncodeUser" else LAST
