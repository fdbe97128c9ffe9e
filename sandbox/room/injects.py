"""What the instructor has planned: when each inject is due, by what has happened in the room. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

KEPT_TEXTS = 1_000  # of each kind of event, for conditions on what was said
_LONGEST = 2_000  # characters of a text that a condition looks at


@dataclass(frozen=True)
class Plan:
    """wait_s world seconds after the first event of kind `after`, unless one of kind `unless` has happened since.
    after: None for one that is fired by hand. …_like: only events whose text is like that. does: what, None for a message
    of sender and text."""

    inject: int
    sender: str
    text: str
    after: str | None
    wait_s: float
    unless: str | None = None
    does: dict[str, Any] | None = None
    after_like: str | None = None
    unless_like: str | None = None

    @property
    def deed(self) -> dict[str, Any]:
        """As `twists.deeds` has it."""
        return self.does or {"do": "say", "sender": self.sender, "text": self.text}


@dataclass
class Times:
    """World seconds of the first and of the last event of each kind. texts: kind -> (world seconds, what it said), of
    those that say something."""

    first: dict[str, float]
    last: dict[str, float]
    texts: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)

    def note(self, kind: str, world_ts: float, text: str = "") -> None:
        self.first.setdefault(kind, world_ts)
        self.last[kind] = world_ts
        if text:
            self.texts.setdefault(kind, deque(maxlen=KEPT_TEXTS)).append((world_ts, text[:_LONGEST].lower()))

    def first_like(self, kind: str, like: str | None) -> float | None:
        if like is None:
            return self.first.get(kind)
        return next((ts for ts, text in self.texts.get(kind, ()) if _is_like(text, like)), None)

    def last_like(self, kind: str, like: str | None) -> float | None:
        if like is None:
            return self.last.get(kind)
        return next((ts for ts, text in reversed(self.texts.get(kind, ())) if _is_like(text, like)), None)


def _is_like(text: str, like: str) -> bool:
    return fnmatchcase(text, like.lower()) or fnmatchcase(text, f"*{like.lower()}*")


def due_ts(plan: Plan, times: Times) -> float | None:
    """When it fires as things are, world seconds since the epoch; None where nothing has set it going yet, or what it
    would press for was done."""
    began = None if plan.after is None else times.first_like(plan.after, plan.after_like)
    if began is None:
        return None
    since = None if plan.unless is None else times.last_like(plan.unless, plan.unless_like)
    return None if since is not None and since >= began else began + plan.wait_s


def due(plans: Iterable[Plan], times: Times, now_ts: float) -> list[Plan]:
    """Those that should have fired by now, the earliest first. One that is late fires late; it never vanishes."""
    timed = [(at, plan) for plan in plans if (at := due_ts(plan, times)) is not None and at <= now_ts]
    return [plan for _, plan in sorted(timed, key=lambda entry: (entry[0], entry[1].inject))]


def told(plans: Mapping[int, Plan], times: Times, waiting: Mapping[int, str] | None = None) -> list[dict[str, object]]:
    """Those that have not fired, for the instructor. waiting: why those do that were due and were not done."""
    waits = waiting or {}
    return [
        {**plan.__dict__, "due_ts": due_ts(plan, times), "waits": waits.get(plan.inject, "")} for plan in plans.values()
    ]
