"""What a cohort can do: its sessions, in rooms and in terminals, by skill and over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel

from sandbox.base.errors import SandboxError
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.standing import filed_report
from sandbox.room import house
from sandbox.room.events import Event, Overridden, ReportFiled
from sandbox.room.house import Deed
from sandbox.room.record import skills
from sandbox.room.record.intervals import LEVEL, Estimate, estimate
from sandbox.room.record.persons import Person, persons, unattributed
from sandbox.room.record.recordings import began_ts, grade_of, terminal_drills

Period = Literal["day", "week", "month"]
METHOD = "bounds of a mean of bounded values, Learned-Miller and Thomas 2019; each session counts once"
_PERIODS: dict[str, Callable[[datetime], str]] = {
    "day": lambda at: at.strftime("%Y-%m-%d"),
    "week": lambda at: f"{at.isocalendar().year}-W{at.isocalendar().week:02}",
    "month": lambda at: at.strftime("%Y-%m"),
}


class Session(BaseModel, frozen=True):
    """One drill that was answered and graded. kind: room or drill. began: by the wall clock (UTC). people: names of those
    who were in it. score: with what the instructor gave instead. skills: 0..1, None where nothing was seen of one. persons: what
    of it is somebody's by name; unattributed: parts that are the team's alone, all of them in a terminal."""

    name: str
    kind: str
    scenario: str
    backend: str
    began: datetime
    people: list[str]
    score: float
    skills: dict[str, float | None]
    persons: list[Person] = []
    unattributed: list[str] = []


class Group(BaseModel, frozen=True):
    """Sessions that have something in common: a period of time, or a scenario. score: of the whole, not below 0."""

    name: str
    n: int
    score: Estimate
    skills: dict[str, Estimate]


class Results(BaseModel, frozen=True):
    """level: of the intervals. given_up: sessions without a report, which tell nothing of a skill. ungraded: without a grade
    that was kept. periods: in order of time. people: by name, of what is theirs in the sessions that they were in; score: the team's."""

    since: datetime | None
    scenario: str | None
    level: float
    method: str
    whole: Group
    periods: list[Group]
    scenarios: list[Group]
    people: list[Group]
    sessions: list[Session]
    given_up: int
    ungraded: int


def results(since: datetime | None = None, scenario: str | None = None, by: Period = "week") -> Results:
    """since: of the wall clock; one without a zone is UTC. What cannot be read is passed over."""
    since = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since
    found: list[Session] = []
    missing = {"given_up": 0, "ungraded": 0}
    for session in _all():
        if scenario not in (None, session[1]) or (since is not None and session[0] < since):
            continue
        if isinstance(session[2], str):
            missing[session[2]] += 1
        else:
            found.append(session[2])
    return summed(found, since, scenario, by, **missing)


def summed(
    sessions: Iterable[Session], since: datetime | None, scenario: str | None, by: Period, *, given_up: int = 0,
    ungraded: int = 0,
) -> Results:  # fmt: skip
    """The same of sessions that are at hand. Pure."""
    ordered = sorted(sessions, key=lambda s: (s.began, s.name))
    return Results(
        since=since, scenario=scenario, level=LEVEL, method=METHOD, whole=_group("all", ordered),
        periods=_groups(ordered, lambda s: _PERIODS[by](s.began)), scenarios=_groups(ordered, lambda s: s.scenario),
        people=_people(ordered),
        sessions=ordered, given_up=given_up, ungraded=ungraded,
    )  # fmt: skip


def _groups(sessions: list[Session], name_of: Callable[[Session], str]) -> list[Group]:
    return [
        _group(name, [s for s in sessions if name_of(s) == name]) for name in sorted({name_of(s) for s in sessions})
    ]


def _people(sessions: list[Session]) -> list[Group]:
    """Whoever was in a room, by the name that they typed."""
    of: dict[str, list[Session]] = {}
    for one in sessions:
        for person in one.persons:
            of.setdefault(person.name, []).append(one.model_copy(update={"skills": person.skills}))
    return [_group(name, of[name]) for name in sorted(of)]


def _group(name: str, sessions: list[Session]) -> Group:
    def of(skill: str) -> Estimate:
        return estimate([v for s in sessions if (v := s.skills[skill]) is not None], skill)

    score = estimate([min(1.0, max(0.0, s.score)) for s in sessions], "score")
    return Group(name=name, n=len(sessions), score=score, skills={skill: of(skill) for skill in skills.SKILLS})


_Found = tuple[datetime, str, Session | str]  # when, scenario, the session or why there is none


def _all() -> Iterator[_Found]:
    for deed in (deed for deed in house.deeds() if not deed.program):
        with suppress(SandboxError, OSError, ValueError, KeyError, TypeError, IndexError):
            yield from _of_room(deed)
    for drill in terminal_drills():
        with suppress(SandboxError, OSError, ValueError, KeyError, TypeError, IndexError):
            yield from _of_drill(drill)


def _of_room(deed: Deed) -> Iterator[_Found]:
    events = house.journal_of(deed).read()
    shared = house.folded(events)
    if not events or not shared.people:
        return
    began = datetime.fromtimestamp(events[0].wall_ts, UTC)
    if shared.grade is None:
        if shared.phase.value == "over":
            yield began, deed.scenario, "ungraded"
        return
    if not any(isinstance(event.what, ReportFiled) for event in events):
        yield began, deed.scenario, "given_up"
        return
    names = list(dict.fromkeys(person.name for person in shared.people.values()))
    yield began, deed.scenario, session(
        deed.code, "room", deed.scenario, deed.backend, began, names, shared.grade.document, events
    )  # fmt: skip


def _of_drill(drill: Drill) -> Iterator[_Found]:
    entries, plan, grade = drill.entries(), drill.plan, grade_of(drill)
    began = datetime.fromtimestamp(began_ts(drill, entries), UTC)
    of = drill.scenario.id
    if filed_report(entries) is None:
        yield began, of, "given_up"
    elif grade is None:
        yield began, of, "ungraded"
    else:
        yield began, of, session(plan.drill, "drill", of, plan.backend, began, [], grade, ())


def session(
    name: str, kind: str, scenario: str, backend: str, began: datetime, people: list[str], grade: dict[str, Any],
    events: Iterable[Event],
) -> Session:  # fmt: skip
    """grade: its document. events: of the room, none for a drill in a terminal. Pure."""
    happened = list(events)
    overrides = {e.what.item: e.what.score for e in happened if isinstance(e.what, Overridden)}
    marks = list(skills.marks(grade["items"], overrides, happened))
    named = persons(marks, grade.get("looked") or {}, happened)
    return Session(
        name=name, kind=kind, scenario=scenario, backend=backend, began=began, people=people,
        score=overrides.get("score", float(grade["score"])), skills=skills.shares(marks),
        persons=named, unattributed=unattributed(marks, named),
    )  # fmt: skip
