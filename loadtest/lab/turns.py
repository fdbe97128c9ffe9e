"""Two configurations of one running stack in turns: A B B A, so that what drifts meanwhile falls on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from loadtest.lab.ledger import Requests
from loadtest.lab.outcome import Run
from loadtest.lab.plan import Plan
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations

AS_IS = "as-is"
ACTOR = "load-lab"
WARM_SHARE = 0.2  # of each turn, which does not count: the one before has left its queues and caches


@dataclass(frozen=True)
class Turns:
    """The loads of each side, in the order of time, and the seconds of each that count. interrupted: ended early; then
    both sides have as many as were made in pairs."""

    a: list[Requests]
    b: list[Requests]
    seconds: float
    interrupted: bool = False


def in_turns(
    measured: Callable[[Plan], Run], configured: Callable[[str], AbstractContextManager[None]], a: str, b: str, plan: Plan, rounds: int,
    progress: ProgressFn = quiet,
) -> Turns:  # fmt: skip
    """rounds times A B B A. measured: one load. configured: holds the stack in a configuration. Each pair of neighbours
    has the same arrivals, so that they differ in what is compared alone."""
    found: dict[str, list[Requests]] = {"a": [], "b": []}
    sides = [side for _ in range(rounds) for side in "abba"]
    for n, side in enumerate(sides):
        progress(f"turn {n + 1} of {len(sides)}: {side.upper()}, {a if side == 'a' else b}", n / len(sides))
        try:
            with configured(a if side == "a" else b):
                run = measured(plan.at(plan.rate, plan.seconds, plan.seed + n // 2))
        except KeyboardInterrupt:
            return _paired(found, plan, interrupted=True)
        if run.interrupted:
            return _paired(found, plan, interrupted=True)
        found[side].append(_without_beginning(run.requests, plan.seconds))
    return _paired(found, plan, interrupted=False)


def _paired(found: dict[str, list[Requests]], plan: Plan, *, interrupted: bool) -> Turns:
    n = min(len(found["a"]), len(found["b"]))
    return Turns(found["a"][:n], found["b"][:n], plan.seconds * (1 - WARM_SHARE), interrupted)


def _without_beginning(requests: Requests, seconds: float) -> Requests:
    warm = seconds * WARM_SHARE
    mine = requests.between(warm, seconds)
    return replace(mine, intended_s=mine.intended_s - warm, started_s=mine.started_s - warm, done_s=mine.done_s - warm)


def checked(text: str, operations: Operations) -> None:
    """Whether the stack can be put into it. Raises DRILL-005, DRILL-007, MODEL-001."""
    if text != AS_IS:
        Action.parse(text.split()).plan(operations)


@contextmanager
def configured(text: str, operations: Operations) -> Iterator[None]:
    """The stack as it is, or with an action carried out, which is reverted afterwards, whatever happens. Raises DRILL-007
    for an action that no revert undoes."""
    if text == AS_IS:
        yield
        return
    record = Action.parse(text.split()).run(operations, ACTOR)
    if not record.before:
        raise SandboxError(
            "DRILL-007", where="load compare", seen=text, expected="an action that changes a setting, which can be put back",
            fix="see `sandbox act` for those; a restart is none",
        )  # fmt: skip
    try:
        yield
    finally:
        operations.revert(record.n, ACTOR)
