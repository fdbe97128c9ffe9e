"""Which instance of a callee takes the next attempt of a call. One core for both backends.

As gRPC's policies of the same names: round_robin takes those in turn that are connected; pick_first stays with the one
it has as long as that is connected, and takes the first of the others then. What comes later it does not look at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

ROUND_ROBIN, PICK_FIRST = "round_robin", "pick_first"


def pick(policy: str, names: Sequence[str], last: str, ready: Callable[[str], bool]) -> str:
    """The instance to call. names: those that there are, in order, at least one. last: the one called before, by the
    same caller over the same path; empty for none. ready: whether one is connected. Where none is, the call goes to
    the next in line, and fails there or waits for it."""
    at = names.index(last) if last in names else -1
    order = [*names[at + 1 :], *names[: at + 1]]
    if policy == PICK_FIRST and at >= 0:
        order = [last, *names]
    return next((name for name in order if ready(name)), order[0])
