"""Messages that the instructor has planned: when each is due, by what has happened in the room. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """wait_s world seconds after the first event of kind `after`, unless one of kind `unless` has happened since."""

    inject: int
    sender: str
    text: str
    after: str
    wait_s: float
    unless: str | None = None


@dataclass
class Times:
    """World seconds of the first and of the last event of each kind."""

    first: dict[str, float]
    last: dict[str, float]

    def note(self, kind: str, world_ts: float) -> None:
        self.first.setdefault(kind, world_ts)
        self.last[kind] = world_ts


def due_ts(plan: Plan, times: Times) -> float | None:
    """When it fires as things are, world seconds since the epoch; None where nothing has set it going yet, or what it
    would press for was done."""
    began = times.first.get(plan.after)
    if began is None or (plan.unless is not None and times.last.get(plan.unless, -1.0) >= began):
        return None
    return began + plan.wait_s


def due(plans: Iterable[Plan], times: Times, now_ts: float) -> list[Plan]:
    """Those that should have fired by now, the earliest first. One that is late fires late; it never vanishes."""
    timed = [(at, plan) for plan in plans if (at := due_ts(plan, times)) is not None and at <= now_ts]
    return [plan for _, plan in sorted(timed, key=lambda entry: (entry[0], entry[1].inject))]


def told(plans: Mapping[int, Plan], times: Times) -> list[dict[str, object]]:
    """Those that have not fired, for the instructor."""
    return [{**plan.__dict__, "due_ts": due_ts(plan, times)} for plan in plans.values()]
