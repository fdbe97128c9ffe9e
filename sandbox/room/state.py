"""Where a room stands: what its events come to, one after the other. No clock, no desk, no I/O.

`Shared` is made from events that everybody in the room may know of and from nothing else, `Aside` from those of the
instructor. What trainees are shown is made from `Shared` alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.room import events as ev
from sandbox.room.events import Event
from sandbox.room.injects import Plan, Times
from sandbox.room.rights import Phase
from sandbox.room.roles import Role
from sandbox.room.twists.fold import Twists, text_of

KEPT_MESSAGES = 500  # chat and injects that `state` tells; all of them are in the stream
KEPT_QUERIES = 200


@dataclass
class Person:
    """A participant. here: False once they have left. last_seq: of the last thing that they did.
    looks_at: the panel that they opened last, and what in it."""

    participant: str
    name: str
    role: Role
    here: bool = True
    last_seq: int = 0
    looks_at: tuple[str, str] = ("", "")


@dataclass
class Task:
    task: int
    text: str
    to: str | None
    by: str
    done: bool = False


@dataclass
class Hypothesis:
    """verdict: open, supported or refuted. weighed: each time, oldest first."""

    hypothesis: int
    text: str
    by: str
    verdict: str = "open"
    weighed: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Draft:
    """A field of the report as somebody left it last."""

    value: Any
    by: str
    seq: int


@dataclass
class Shared:
    """What a room has in common. Times are world seconds since the epoch."""

    seq: int = 0
    phase: Phase = Phase.waiting
    opened: ev.Opened | None = None
    speed: float = 1.0
    page: tuple[float, str] | None = None
    acknowledged_by: str | None = None
    people: dict[str, Person] = field(default_factory=dict)
    messages: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    tasks: dict[int, Task] = field(default_factory=dict)
    hypotheses: dict[int, Hypothesis] = field(default_factory=dict)
    queries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_QUERIES))
    previews: dict[int, str] = field(default_factory=dict)
    actions: list[dict[str, Any]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    draft: dict[str, Draft] = field(default_factory=dict)
    timeline: dict[int, dict[str, Any]] = field(default_factory=dict)
    grade: ev.Graded | None = None
    ended: str = ""
    requests: dict[int, dict[str, Any]] = field(default_factory=dict)  # for status updates, that are open
    shown: int | None = None
    failures_shown: bool = False

    def here(self) -> list[Person]:
        return [person for person in self.people.values() if person.here]

    def named(self, name: str) -> Person | None:
        """Whoever is here under that name."""
        return next((p for p in self.here() if p.name == name), None)

    def name_of(self, who: str) -> str:
        person = self.people.get(who)
        return person.name if person else who

    def apply(self, event: Event) -> None:
        """One more thing has happened. Those of the instructor alone only count."""
        self.seq = event.seq
        if event.instructors_alone:
            return
        if (person := self.people.get(event.who)) is not None:
            person.last_seq = event.seq
        _FOLDS.get(type(event.what), _nothing)(self, event, event.what)


@dataclass
class Aside:
    """What the instructor alone knows of a room. Nothing of the truth: that lies with the drill."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    plans: dict[int, Plan] = field(default_factory=dict)
    n_plans: int = 0
    times: Times = field(default_factory=lambda: Times({}, {}))
    twists: Twists = field(default_factory=Twists)

    def apply(self, event: Event) -> None:
        what = event.what
        self.times.note(event.kind, event.world_ts, text_of(event))
        self.twists.apply(event)
        if isinstance(what, ev.Noted):
            self.notes.append(
                {"seq": event.seq, "wall_ts": event.wall_ts, "world_ts": event.world_ts, "text": what.text}
            )
        elif isinstance(what, ev.Overridden):
            self.overrides[what.item] = {"score": what.score, "reason": what.reason, "seq": event.seq}
        elif isinstance(what, ev.InjectPlanned):
            self.plans[what.inject], self.n_plans = Plan(**what.model_dump(exclude={"kind"})), what.inject
        elif isinstance(what, ev.InjectsPlanned):
            for plan in what.plans:
                self.plans[plan.inject], self.n_plans = Plan(**plan.model_dump(exclude={"kind"})), plan.inject
        elif not isinstance(what, ev.InjectWaits) and isinstance(inject := getattr(what, "inject", None), int):
            self.plans.pop(inject, None)


def _nothing(s: Shared, event: Event, what: Any) -> None:
    """Of what only the stream tells."""


def _opened(s: Shared, event: Event, what: ev.Opened) -> None:
    s.opened, s.phase = what, Phase.waiting


def _joined(s: Shared, event: Event, what: ev.Joined) -> None:
    s.people[what.participant] = Person(what.participant, what.name, what.role, last_seq=event.seq)


def _left(s: Shared, event: Event, what: ev.Left) -> None:
    s.people[what.participant].here = False


def _handed_over(s: Shared, event: Event, what: ev.HandedOver) -> None:
    giver, taker = s.people[what.giver], s.people[what.taker]
    giver.role, taker.role = taker.role, giver.role


def _phase(phase: Phase) -> Any:
    def fold(s: Shared, event: Event, what: Any) -> None:
        s.phase = phase

    return fold


def _speed(s: Shared, event: Event, what: ev.SpeedSet) -> None:
    s.speed = what.factor


def _page(s: Shared, event: Event, what: ev.PageCame) -> None:
    s.page = (event.world_ts, what.text)


def _acknowledged(s: Shared, event: Event, what: ev.Acknowledged) -> None:
    s.acknowledged_by = event.who


def _message(s: Shared, event: Event, what: Any) -> None:
    """what: Chatted, Injected, HintGiven, or a status update that is asked for, pressed for or given."""
    sender = getattr(what, "sender", None) or s.name_of(event.who)
    links = [link.model_dump() for link in what.links] if isinstance(what, ev.Chatted) else []
    s.messages.append({
        "seq": event.seq, "kind": event.kind, "sender": sender, "world_ts": event.world_ts, "wall_ts": event.wall_ts,
        "text": what.text, "links": links,
    })  # fmt: skip


def _asks(s: Shared, event: Event, what: ev.StatusAsked | ev.StatusPressed) -> None:
    _message(s, event, what)
    if isinstance(what, ev.StatusAsked) or what.ask in s.requests:
        s.requests[what.ask] = {
            "ask": what.ask, "sender": what.sender, "text": what.text, "due_ts": what.due_ts,
            "pressed": s.requests[what.ask]["pressed"] + 1 if what.ask in s.requests else 0,
        }  # fmt: skip


def _updated(s: Shared, event: Event, what: ev.StatusUpdated) -> None:
    _message(s, event, what)
    for ask in what.asks:
        s.requests.pop(ask, None)


def _task(s: Shared, event: Event, what: ev.TaskAdded) -> None:
    s.tasks[what.task] = Task(what.task, what.text, what.to, event.who)


def _assigned(s: Shared, event: Event, what: ev.TaskAssigned) -> None:
    s.tasks[what.task].to = what.to


def _finished(s: Shared, event: Event, what: ev.TaskFinished) -> None:
    s.tasks[what.task].done = True


def _hypothesis(s: Shared, event: Event, what: ev.HypothesisAdded) -> None:
    s.hypotheses[what.hypothesis] = Hypothesis(what.hypothesis, what.text, event.who)


def _weighed(s: Shared, event: Event, what: ev.HypothesisWeighed) -> None:
    of = s.hypotheses[what.hypothesis]
    of.verdict = what.verdict
    of.weighed.append({
        "seq": event.seq, "by": s.name_of(event.who), "verdict": what.verdict, "note": what.note,
        "evidence": [link.model_dump() for link in what.evidence],
    })  # fmt: skip


def _asked(s: Shared, event: Event, what: ev.Asked) -> None:
    s.queries.append({
        "seq": event.seq, "by": s.name_of(event.who), "world_ts": event.world_ts, "sql": what.sql, "n_rows": what.n_rows,
    })  # fmt: skip


def _previewed(s: Shared, event: Event, what: ev.Previewed) -> None:
    s.previews[what.preview] = what.action


def _acted(s: Shared, event: Event, what: ev.Acted) -> None:
    s.actions.append({
        "seq": event.seq, "by": s.name_of(event.who), "world_ts": event.world_ts,
        **what.model_dump(exclude={"kind"}),
    })  # fmt: skip


def _looked(s: Shared, event: Event, what: ev.Looked) -> None:
    if event.who in s.people:
        s.people[event.who].looks_at = (what.panel, what.about)


def _hint(s: Shared, event: Event, what: ev.HintTaken) -> None:
    s.hints.append(what.text)


def _field(s: Shared, event: Event, what: ev.FieldReported) -> None:
    s.draft[what.field] = Draft(what.value, s.name_of(event.who), event.seq)


def _timeline(s: Shared, event: Event, what: ev.TimelineEdited) -> None:
    s.timeline[what.entry] = {"at_ts": what.at_ts, "text": what.text, "by": s.name_of(event.who)}


def _ended(s: Shared, event: Event, what: ev.Ended) -> None:
    s.phase, s.ended = Phase.over, what.why


def _filed(s: Shared, event: Event, what: ev.ReportFiled) -> None:
    s.phase, s.ended = Phase.over, "a report was handed in"


def _failures(s: Shared, event: Event, what: ev.FailuresShown) -> None:
    s.failures_shown = what.on


def _graded(s: Shared, event: Event, what: ev.Graded) -> None:
    s.phase, s.grade = Phase.debrief, what


def _stepped(s: Shared, event: Event, what: ev.SteppedTo) -> None:
    s.shown = what.event


_FOLDS: dict[type, Any] = {
    ev.Opened: _opened,
    ev.Joined: _joined,
    ev.Left: _left,
    ev.HandedOver: _handed_over,
    ev.Started: _phase(Phase.running),
    ev.Paused: _phase(Phase.paused),
    ev.SpeedSet: _speed,
    ev.PageCame: _page,
    ev.Acknowledged: _acknowledged,
    ev.Chatted: _message,
    ev.Injected: _message,
    ev.HintGiven: _message,
    ev.TaskAdded: _task,
    ev.TaskAssigned: _assigned,
    ev.TaskFinished: _finished,
    ev.HypothesisAdded: _hypothesis,
    ev.HypothesisWeighed: _weighed,
    ev.Asked: _asked,
    ev.Previewed: _previewed,
    ev.Acted: _acted,
    ev.Looked: _looked,
    ev.HintTaken: _hint,
    ev.FieldReported: _field,
    ev.ReportFiled: _filed,
    ev.TimelineEdited: _timeline,
    ev.StatusAsked: _asks,
    ev.StatusPressed: _asks,
    ev.StatusUpdated: _updated,
    ev.TimeUp: _phase(Phase.time_up),
    ev.Ended: _ended,
    ev.Graded: _graded,
    ev.SteppedTo: _stepped,
    ev.FailuresShown: _failures,
}
