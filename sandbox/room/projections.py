"""What each audience is told: one function for each, of the state and of an event.

A trainee's and an observer's documents are made from `Shared`, which knows of no truth; only the instructor's function
is handed it. An observer shadows: they see what is done, and neither hints, which are paid for, nor the report's draft.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sandbox.base.clock import iso
from sandbox.room.events import Event, FieldReported, Graded, HintTaken, Opened
from sandbox.room.rights import Phase, rights
from sandbox.room.roles import Role
from sandbox.room.state import Aside, Person, Shared

Document = dict[str, Any]


def of_participant(shared: Shared, me: Person, now_ts: float, hint_price: float) -> Document:
    """The state as that participant may see it. now_ts: world seconds. hint_price: of the whole score."""
    if me.role is Role.observer:
        return of_observer(shared, me, now_ts)
    return of_trainee(shared, me, now_ts, hint_price)


def of_trainee(shared: Shared, me: Person, now_ts: float, hint_price: float) -> Document:
    return {
        **_common(shared, me, now_ts),
        "hints": list(shared.hints),
        "hint_price": hint_price,
        "report": {name: asdict(draft) for name, draft in shared.draft.items()},
    }


def of_observer(shared: Shared, me: Person, now_ts: float) -> Document:
    return {**_common(shared, me, now_ts), "hints_taken": len(shared.hints)}


def of_instructor(shared: Shared, aside: Aside, truth: Document, now_ts: float) -> Document:
    """truth: what `truth.told` makes of the drill."""
    return {
        **_board(shared, now_ts),
        "hints": list(shared.hints),
        "report": {name: asdict(draft) for name, draft in shared.draft.items()},
        "rights": rights(Role.instructor, shared.phase),
        "last_seq_by": {person.participant: person.last_seq for person in shared.here()},
        "aside": asdict(aside),
        "truth": truth,
    }


def event_for(event: Event, role: Role) -> Document | None:
    """The event as that role may see it, None where it may not see it at all."""
    if role is Role.instructor:
        return _told(event)
    if event.instructors_alone:
        return None
    if role is Role.observer:
        return _to_an_observer(event)
    return _told(event)


def _to_an_observer(event: Event) -> Document | None:
    what = event.what
    if isinstance(what, FieldReported):
        return None
    told = _told(event)
    if isinstance(what, HintTaken):
        told["what"] = {"kind": event.kind}
    return told


def _told(event: Event) -> Document:
    told = event.model_dump(mode="json")
    return {"seq": told["seq"], "kind": event.kind, **{k: v for k, v in told.items() if k != "seq"}}


def _common(shared: Shared, me: Person, now_ts: float) -> Document:
    document = _board(shared, now_ts)
    document["me"] = {**_person(me), "rights": rights(me.role, shared.phase)}
    return document


def _board(shared: Shared, now_ts: float) -> Document:
    """What all of them see."""
    return {
        "seq": shared.seq,
        "room": _room(shared, now_ts),
        "participants": [_person(person) for person in shared.here()],
        "page": None if shared.page is None else {
            "ts": iso(shared.page[0]), "text": shared.page[1],
            "acknowledged_by": None if shared.acknowledged_by is None else shared.name_of(shared.acknowledged_by),
        },
        "messages": list(shared.messages),
        "tasks": [
            {**asdict(task), "to": None if task.to is None else shared.name_of(task.to), "by": shared.name_of(task.by)}
            for task in shared.tasks.values()
        ],
        "hypotheses": [{**asdict(h), "by": shared.name_of(h.by)} for h in shared.hypotheses.values()],
        "queries": list(shared.queries),
        "previews": [{"preview": n, "action": action} for n, action in shared.previews.items()],
        "actions": list(shared.actions),
        "timeline": [{"entry": n, **line} for n, line in sorted(shared.timeline.items(), key=lambda e: e[1]["at_ts"])],
        "grade": _grade(shared.grade),
    }  # fmt: skip


def _room(shared: Shared, now_ts: float) -> Document:
    opened = shared.opened or Opened(
        title="", briefing="", backend="", began_ts=now_ts, length_s=0.0, world_rate=1.0, held=True
    )
    over = shared.phase in (Phase.over, Phase.debrief)
    return {
        "title": opened.title,
        "briefing": opened.briefing,
        "backend": opened.backend,
        "phase": shared.phase.value,
        "ended": shared.ended,
        "world_time": iso(now_ts),
        "world_ts": now_ts,
        "began_ts": opened.began_ts,
        "left_s": 0.0 if over else round(max(0.0, opened.began_ts + opened.length_s - now_ts), 3),
        "world_rate": opened.world_rate * shared.speed,
    }


def _person(person: Person) -> Document:
    return {"participant": person.participant, "name": person.name, "role": person.role.value}


def _grade(graded: Graded | None) -> Document | None:
    return None if graded is None else {"score": graded.score, "document": graded.document}
