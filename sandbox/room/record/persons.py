"""What of a session is somebody's by name: the journal says who did it. The rest stays the team's. Pure.

Who wrote a sentence of the report need not be who found it out: it is told as written, and no more. What nobody can be
named for (who thought of it, who looked and said nothing) is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from sandbox.room.events import Acknowledged, Acted, Asked, Event, FieldReported, Joined, ReportFiled
from sandbox.room.record.skills import SKILLS, Mark, answers

How = Literal["asked", "acted", "wrote", "acknowledged", "answered"]
# Which field of the report an item is about: whoever wrote it last before it was filed wrote that.
WROTE: Mapping[str, str] = {
    "detection": "detected_at", "onset": "causes", "component": "causes", "mechanism": "causes", "segment": "causes",
    "impact": "impact", "confidence": "confidence",
}  # fmt: skip
HOW: Mapping[str, str] = {
    "asked": "who first asked the queries that the report quotes; each with its own strength, where a twin was run",
    "acted": "who carried out all that was done, where one person did; what several did is the team's",
    "wrote": "who wrote that field of the report last",
    "acknowledged": "who acknowledged the page",
    "answered": "who was the first of the team to say something after a message from outside",
}


class Share(BaseModel, frozen=True):
    """A part of the grade, or of what was done in the room, that is somebody's. share: of what it could earn, 0..1."""

    part: str
    share: float
    how: How


class Person(BaseModel, frozen=True):
    """name: as it was typed; whoever types another is another. roles: that they had. skills: 0..1, None where nothing of one is
    theirs by name."""

    name: str
    roles: list[str]
    shares: list[Share]
    skills: dict[str, float | None]


def persons(marks: Iterable[Mark], looked: Mapping[str, Any], events: Sequence[Event]) -> list[Person]:
    """Everybody who was in the room, in the order in which they came. marks: of the session. looked: of its grade's
    document, empty where no twin was run. events: of the room."""
    people = [(e.what.participant, e.what.name, e.role or "") for e in events if isinstance(e.what, Joined)]
    names = {participant: name for participant, name, _ in people}
    by_part = {mark.part: mark.score / mark.max for mark in marks}
    found: dict[str, list[Share]] = {name: [] for name in names.values()}
    for who, share in (
        *_written(by_part, events),
        *_quoted(looked, events),
        *_done(by_part, events),
        *_said(by_part, events),
    ):
        if who in names:
            found[names[who]].append(share)
    return [
        Person(name=name, roles=_roles(events, {p for p, of, _ in people if of == name}), shares=shares, skills=_skills(shares))
        for name, shares in found.items()
    ]  # fmt: skip


def unattributed(marks: Iterable[Mark], people: Iterable[Person]) -> list[str]:
    """Parts that are the team's alone."""
    theirs = {share.part for person in people for share in person.shares}
    return [mark.part for mark in marks if mark.part not in theirs]


def _written(by_part: Mapping[str, float], events: Sequence[Event]) -> Iterator[tuple[str, Share]]:
    filed = next((e.seq for e in events if isinstance(e.what, ReportFiled)), None)
    if filed is None:
        return
    last = {e.what.field: e.who for e in events if isinstance(e.what, FieldReported) and e.seq < filed}
    for part, field in WROTE.items():
        if part in by_part and field in last:
            yield last[field], Share(part=part, share=by_part[part], how="wrote")


def _quoted(looked: Mapping[str, Any], events: Sequence[Event]) -> Iterator[tuple[str, Share]]:
    first: dict[str, str] = {}
    for event in events:
        if isinstance(event.what, Asked):
            first.setdefault(event.what.sql.strip(), event.who)
    for part in ("evidence", "ruled_out"):
        for one in looked.get(part) or ():
            who = first.get(str(one["sql"]).strip())
            if who is not None:
                yield who, Share(part=part, share=min(1.0, max(0.0, float(one["value"]))), how="asked")


def _done(by_part: Mapping[str, float], events: Sequence[Event]) -> Iterator[tuple[str, Share]]:
    who = {e.who for e in events if isinstance(e.what, Acted)}
    if len(who) == 1:
        for part in SKILLS["decide"]:
            if part in by_part:
                yield next(iter(who)), Share(part=part, share=by_part[part], how="acted")


def _said(by_part: Mapping[str, float], events: Sequence[Event]) -> Iterator[tuple[str, Share]]:
    read = next((e.who for e in events if isinstance(e.what, Acknowledged)), None)
    if read is not None and "acknowledged" in by_part:
        yield read, Share(part="acknowledged", share=by_part["acknowledged"], how="acknowledged")
    for answer in answers(events):
        if answer is not None:
            yield answer.who, Share(part="answered", share=1.0, how="answered")


def _roles(events: Sequence[Event], of: set[str]) -> list[str]:
    return list(dict.fromkeys(str(e.role) for e in events if e.who in of and e.role))


def _skills(shares: Sequence[Share]) -> dict[str, float | None]:
    """Each part counts once in its skill, as the mean of what is somebody's of it."""
    told: dict[str, float | None] = {}
    for skill, parts in SKILLS.items():
        means = [sum(of) / len(of) for part in parts if (of := [s.share for s in shares if s.part == part])]
        told[skill] = sum(means) / len(means) if means else None
    return told


def table() -> Iterator[str]:
    """The whole of it as lines of Markdown."""
    yield "| what | of which parts | is whose |"
    yield "|---|---|---|"
    parts = {
        "asked": "evidence, ruled out", "acted": ", ".join(SKILLS["decide"]), "wrote": ", ".join(WROTE),
        "acknowledged": "acknowledged", "answered": "answered",
    }  # fmt: skip
    for how, says in HOW.items():
        yield f"| {how} | {parts[how].replace('_', ' ')} | {says} |"
