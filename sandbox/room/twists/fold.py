"""What twists come to: which faults a hand has on, who waits for a status update, who did what last. No clock, no I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.room import events as ev
from sandbox.room.events import Event

KEPT_LOOKS = 12  # of each participant
_SAYS = {
    "chatted": "text", "asked": "sql", "acted": "action", "previewed": "action", "hypothesis_added": "text",
    "task_added": "text", "field_reported": "field", "status_updated": "text", "timeline_edited": "text",
    "hypothesis_weighed": "verdict", "ended": "why", "looked": "about",
}  # fmt: skip
LOOKS = ("asked", "previewed", "acted")  # kinds that say where somebody looks


def text_of(event: Event) -> str:
    """What an event says, for conditions on it; empty where it says nothing."""
    name = _SAYS.get(event.kind)
    return str(getattr(event.what, name)) if name else ""


@dataclass
class Request:
    """Somebody waits for a status update. due_ts: world seconds since the epoch. pressed: how often already."""

    ask: int
    sender: str
    text: str
    due_ts: float
    within_s: float = 0.0
    presses: int = 0
    press: str = ""
    pressed: int = 0


@dataclass
class Armed:
    """A fault that is on by hand."""

    name: str
    fault: str
    target: str
    spec: dict[str, Any]
    began_ts: float
    change: int | None = None
    ends_ts: float | None = None
    ends_on: tuple[str, ...] = ()


@dataclass
class Watched:
    """What the instructor's view over rooms needs of a participant. Wall and world seconds since the epoch."""

    wall_ts: float
    world_ts: float
    kind: str
    looks: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=KEPT_LOOKS))


@dataclass
class Twists:
    """told: (kind, name) of what was done at the desk and is told. waiting: inject -> why it waits. watched: participant
    -> what they did last. by_hand: events of what was done by hand, for the debrief."""

    armed: dict[str, Armed] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    requests: dict[int, Request] = field(default_factory=dict)
    n_asks: int = 0
    told: set[tuple[str, str]] = field(default_factory=set)
    watched: dict[str, Watched] = field(default_factory=dict)
    acknowledged_ts: float | None = None
    touched: bool = False

    def apply(self, event: Event) -> None:
        what = event.what
        self._watch(event)
        name = getattr(what, "name", None)
        if isinstance(name, str) and not isinstance(what, ev.Joined):
            self.told.add((event.kind, name))
            self.touched = True
        inject = getattr(what, "inject", None)
        if isinstance(what, ev.InjectWaits):
            self.waiting[what.inject] = what.why
        elif isinstance(inject, int):
            self.waiting.pop(inject, None)
        match what:
            case ev.FaultArmed():
                self.armed[what.name] = Armed(
                    what.name,
                    what.fault,
                    what.target,
                    what.spec,
                    event.world_ts,
                    what.change,
                    what.ends_ts,
                    what.ends_on,
                )
            case ev.FaultDisarmed():
                self.armed.pop(what.of, None)
            case ev.StatusAsked():
                told = what.model_dump(exclude={"kind", "inject"})
                self.requests[what.ask], self.n_asks = Request(**told), what.ask
            case ev.StatusPressed() if what.ask in self.requests:
                request = self.requests[what.ask]
                request.pressed, request.due_ts = request.pressed + 1, what.due_ts
            case ev.StatusUpdated():
                for ask in what.asks:
                    self.requests.pop(ask, None)
            case ev.Acknowledged() if self.acknowledged_ts is None:
                self.acknowledged_ts = event.world_ts

    def _watch(self, event: Event) -> None:
        if event.who in (ev.ROOM, ev.INSTRUCTOR):
            return
        seen = self.watched.get(event.who)
        if seen is None:
            seen = self.watched[event.who] = Watched(event.wall_ts, event.world_ts, event.kind)
        seen.wall_ts, seen.world_ts, seen.kind = event.wall_ts, event.world_ts, event.kind
        if event.kind in LOOKS:
            seen.looks.append((event.world_ts, text_of(event)))


def presses_due(requests: dict[int, Request], now_ts: float) -> list[Request]:
    """Who presses now, the one who has waited longest first."""
    due = [r for r in requests.values() if r.pressed < r.presses and r.due_ts <= now_ts]
    return sorted(due, key=lambda r: (r.due_ts, r.ask))
