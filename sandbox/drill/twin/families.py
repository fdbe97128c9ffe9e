"""Which runs begin alike, and where they part. Pure.

Runs of one scenario, world and seed, all with the faults or all without, are the same until one of them does
something that another does not, or ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sandbox.drill.twin.arms import ArmPlan


@dataclass(frozen=True)
class Parting:
    """What comes next for some runs that have been one so far. at_s: world seconds since the drill began. text: the
    action that they do then; None where they end."""

    at_s: float
    text: str | None
    plans: tuple[ArmPlan, ...]


def families(plans: Iterable[ArmPlan]) -> list[list[ArmPlan]]:
    """Those that begin alike, together, in the order of their first."""
    found: dict[str, list[ArmPlan]] = {}
    for plan in plans:
        found.setdefault(replace(plan, actions=(), until_s=0.0).key, []).append(plan)
    return list(found.values())


def cost_s(family: list[ArmPlan], n_done: int = 0, from_s: float = 0.0) -> float:
    """World seconds to be run for all of them together."""
    total = 0.0
    for parting in partings(family, n_done):
        total += parting.at_s - from_s
        from_s = parting.at_s
        if parting.text is not None:
            total += cost_s(list(parting.plans), n_done + 1, parting.at_s)
    return total


def partings(plans: Iterable[ArmPlan], n_done: int) -> list[Parting]:
    """Where runs go on to that have the same first n_done actions behind them, the next one first."""
    found: dict[tuple[float, str | None], list[ArmPlan]] = {}
    for plan in plans:
        done = plan.done
        comes = done[n_done] if n_done < len(done) else (plan.until_s, None)
        found.setdefault(comes, []).append(plan)
    return sorted((Parting(*comes, tuple(of)) for comes, of in found.items()), key=lambda p: (p.at_s, p.text or ""))
