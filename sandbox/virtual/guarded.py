"""A canary on a virtual stack, watched by the guard of live ones: the same looks, sums and verdicts, in virtual time."""

from __future__ import annotations

from typing import Any

from sandbox.pipeline.analysis import Plan
from sandbox.runtime.operate import guard
from sandbox.runtime.operate.guard import Outcome
from sandbox.runtime.operate.staging import Wish
from sandbox.virtual.stack import VirtualStack


def watch(stack: VirtualStack, wish: Wish, plan: Plan, **how: Any) -> Outcome:
    """Rolls a canary out and lets the world go on until its verdict. how: see `guard.watch`. The stack has to record:
    the guard reads its lake. Raises what `guard.watch` raises."""

    def nap(wall_s: float) -> None:
        stack.advance(stack.now() + wall_s * stack.world.speed)
        stack.flush()

    return guard.watch(stack.operations, wish, plan, nap=nap, **how)
