"""What each audience is told: one function for each, of the state and of an event.

A trainee's and an observer's documents are made from `Shared`, which knows of no truth; only the instructor's function
is handed it. An observer shadows: they see what is done, and neither hints, which are paid for, nor the report's draft.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sandbox.base.clock import iso
from sandbox.room import documents as doc
from sandbox.room import injects
from sandbox.room.events import INSTRUCTOR, Event, FieldReported, HintTaken, Opened
from sandbox.room.rights import Phase, rights
from sandbox.room.roles import Role
from sandbox.room.state import Aside, Person, Shared

Document = dict[str, Any]


def of_participant(
    shared: Shared, me: Person, now_ts: float, hint_price: float
) -> doc.TraineeState | doc.ObserverState:
    """The state as that participant may see it. now_ts: world seconds. hint_price: of the whole score."""
    if me.role is Role.observer:
        return of_observer(shared, me, now_ts)
    return of_trainee(shared, me, now_ts, hint_price)


def of_trainee(shared: Shared, me: Person, now_ts: float, hint_price: float) -> doc.TraineeState:
    return doc.TraineeState(
        **_board(shared, now_ts),
        me=_me(shared, me),
        hints=list(shared.hints),
        hint_price=hint_price,
        report=_report(shared),
    )


def of_observer(shared: Shared, me: Person, now_ts: float) -> doc.ObserverState:
    return doc.ObserverState(**_board(shared, now_ts), me=_me(shared, me), hints_taken=len(shared.hints))


def of_instructor(shared: Shared, aside: Aside, truth: Document, now_ts: float) -> doc.InstructorState:
    """truth: what `truth.told` makes of the drill."""
    return doc.InstructorState(
        **_board(shared, now_ts), hints=list(shared.hints), report=_report(shared),
        rights=rights(Role.instructor, shared.phase),
        last_seq_by={person.participant: person.last_seq for person in shared.here()},
        notes=[doc.NoteNow(**note) for note in aside.notes],
        overrides={item: doc.OverrideNow(**to) for item, to in aside.overrides.items()}, truth=truth,
        plans=[doc.PlanNow.model_validate(p) for p in injects.told(aside.plans, aside.times, aside.twists.waiting)],
        armed=[doc.ArmedNow.model_validate(asdict(armed)) for armed in aside.twists.armed.values()],
    )  # fmt: skip


def of_moment(shared: Shared, truth: Document, now_ts: float) -> doc.Moment:
    """For whoever looks back. truth: empty for those who may not know it."""
    return doc.Moment(
        **_board(shared, now_ts), hints=list(shared.hints), report=_report(shared), truth=truth
    )  # fmt: skip


def event_for(event: Event, role: Role) -> Document | None:
    """The event as that role may see it, None where it may not see it at all."""
    if role is Role.instructor:
        return _told(event)
    if event.instructors_alone:
        return None
    if role is Role.observer:
        return _to_an_observer(event)
    return _to_the_team(event)


def _to_an_observer(event: Event) -> Document | None:
    what = event.what
    if isinstance(what, FieldReported):
        return None
    told = _to_the_team(event)
    if isinstance(what, HintTaken):
        told["what"] = {"kind": event.kind}
    return told


def _to_the_team(event: Event) -> Document:
    told = _told(event)
    if event.who == INSTRUCTOR:  # it would tell what was done by hand from what was planned
        told["command"] = None
    if event.what.asides:
        told["what"] = {k: v for k, v in told["what"].items() if k not in event.what.asides}
    return told


def _told(event: Event) -> Document:
    told = event.model_dump(mode="json")
    return {"seq": told["seq"], "kind": event.kind, **{k: v for k, v in told.items() if k != "seq"}}


def _board(shared: Shared, now_ts: float) -> Document:
    """What all of them see, as the fields of a `Board`."""
    name = shared.name_of
    return {
        "seq": shared.seq,
        "room": _room(shared, now_ts),
        "participants": [_person(person) for person in shared.here()],
        "page": _page(shared),
        "messages": [doc.Message(**message) for message in shared.messages],
        "tasks": [
            doc.TaskNow(task=t.task, text=t.text, to=None if t.to is None else name(t.to), by=name(t.by), done=t.done)
            for t in shared.tasks.values()
        ],
        "hypotheses": [
            doc.HypothesisNow(
                hypothesis=h.hypothesis, text=h.text, by=name(h.by), verdict=h.verdict,
                weighed=[doc.Weighed(**weighed) for weighed in h.weighed],
            )
            for h in shared.hypotheses.values()
        ],
        "queries": [doc.Query(**query) for query in shared.queries],
        "previews": [doc.PreviewNow(preview=n, action=action) for n, action in shared.previews.items()],
        "actions": [doc.Action(**action) for action in shared.actions],
        "timeline": [
            doc.Line(entry=n, **line) for n, line in sorted(shared.timeline.items(), key=lambda e: e[1]["at_ts"])
        ],
        "grade": _grade(shared),
        "requests": [doc.RequestNow(**request) for request in shared.requests.values()],
        "shown": shared.shown,
    }  # fmt: skip


def _room(shared: Shared, now_ts: float) -> doc.RoomNow:
    opened = shared.opened or Opened(
        title="", briefing="", backend="", began_ts=now_ts, length_s=0.0, world_rate=1.0, held=True
    )
    over = shared.phase in (Phase.over, Phase.debrief)
    left_s = 0.0 if over else max(0.0, opened.began_ts + opened.length_s - now_ts)
    return doc.RoomNow(
        title=opened.title, briefing=opened.briefing, backend=opened.backend, phase=shared.phase.value, ended=shared.ended,
        world_time=iso(now_ts), world_ts=now_ts, began_ts=opened.began_ts, left_s=round(left_s, 3),
        world_rate=opened.world_rate * shared.speed, failures_shown=shared.failures_shown,
    )  # fmt: skip


def _page(shared: Shared) -> doc.Page | None:
    if shared.page is None:
        return None
    (ts, text), by = shared.page, shared.acknowledged_by
    return doc.Page(ts=iso(ts), text=text, acknowledged_by=None if by is None else shared.name_of(by))


def _grade(shared: Shared) -> doc.Grade | None:
    graded = shared.grade
    return None if graded is None else doc.Grade(score=graded.score, document=graded.document, truth=graded.truth)


def _person(person: Person) -> doc.Participant:
    looks_at = " ".join(part for part in person.looks_at if part)
    return doc.Participant(participant=person.participant, name=person.name, role=person.role, looks_at=looks_at)


def _me(shared: Shared, me: Person) -> doc.Me:
    return doc.Me(participant=me.participant, name=me.name, role=me.role, rights=rights(me.role, shared.phase))


def _report(shared: Shared) -> dict[str, doc.FieldNow]:
    return {name: doc.FieldNow(**asdict(draft)) for name, draft in shared.draft.items()}
