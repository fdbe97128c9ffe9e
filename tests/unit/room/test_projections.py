"""What reaches whom, whatever happens: the instructor's own, and the truth, never reach the team."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.room import events as ev
from sandbox.room import projections
from sandbox.room.commands import Link
from sandbox.room.events import INSTRUCTOR, INSTRUCTORS, Event
from sandbox.room.record import moments
from sandbox.room.roles import JOINABLE, Role
from sandbox.room.state import Aside, Shared
from tests.unit.room.desk import Scene

TRUTH = {"faults": ["session-stream-lag"], "truth": {"mechanism": "stream-lag"}, "explanation": "zz-explained"}
SECRET = "zz-of-the-instructor"
PRIVATE = ("zz-hint-that-was-paid-for", "zz-draft")  # of the team; an observer does not see it
WORDS = st.sampled_from(["", "a", "<b>", ":x", "p1", "🙂"])
NUMBERS = st.integers(1, 3)
PEOPLE = {"p1": Role.commander, "p2": Role.scribe, "p3": Role.observer}


def fields_of() -> dict[type, dict[str, st.SearchStrategy[Any]]]:
    """Anything that can happen in a room of three, tasks and hypotheses 1 to 3 being there."""
    links = st.lists(st.builds(Link, kind=st.just("query"), value=st.just("select 1")), max_size=2).map(tuple)
    who = st.sampled_from(sorted(PEOPLE))
    return {
        ev.Left: {"participant": st.just("p2")},
        ev.HandedOver: {"giver": st.just("p1"), "taker": st.just("p2")},
        ev.Started: {}, ev.Paused: {}, ev.Acknowledged: {}, ev.TimeUp: {},
        ev.SpeedSet: {"factor": st.just(2.0)},
        ev.PageCame: {"text": WORDS},
        ev.Chatted: {"text": WORDS, "links": links},
        ev.TaskAdded: {"task": NUMBERS, "text": WORDS, "to": who | st.none()},
        ev.TaskAssigned: {"task": NUMBERS, "to": who},
        ev.TaskFinished: {"task": NUMBERS},
        ev.HypothesisAdded: {"hypothesis": NUMBERS, "text": WORDS},
        ev.HypothesisWeighed: {"hypothesis": NUMBERS, "verdict": st.sampled_from(["supported", "refuted"]), "note": WORDS},
        ev.Asked: {"sql": WORDS, "columns": st.just([":x"]), "rows": st.just([[1]]), "n_rows": st.just(1)},
        ev.Previewed: {"preview": NUMBERS, "action": WORDS, "summary": WORDS, "touches": st.just([]),
                       "users_share": st.just(0.5), "reversible": st.booleans()},
        ev.Acted: {"change": NUMBERS, "action": WORDS, "target": WORDS, "key": WORDS, "old": WORDS, "new": WORDS},
        ev.Recommended: {"user": NUMBERS, "request_id": WORDS, "columns": st.just(["a"]), "rows": st.just([[1]])},
        ev.Looked: {"panel": WORDS, "about": WORDS},
        ev.HintTaken: {"text": st.just(PRIVATE[0])},
        ev.FieldReported: {"field": st.just("notes"), "value": st.just(PRIVATE[1])},
        ev.ReportFiled: {"report": st.just({"incident": True})},
        ev.TimelineEdited: {"entry": NUMBERS, "at_ts": st.just(1.0), "text": WORDS},
        ev.Ended: {"why": WORDS},
        ev.Injected: {"sender": WORDS, "text": WORDS, "name": st.just(SECRET), "inject": NUMBERS, "herring": st.booleans()},
        ev.HintGiven: {"text": WORDS},
        ev.Overridden: {"item": st.just(SECRET), "score": st.just(0.5), "reason": st.just(SECRET)},
        ev.Noted: {"text": st.just(SECRET)},
        ev.InjectPlanned: {"inject": NUMBERS, "sender": st.just(SECRET), "text": st.just(SECRET),
                           "after": st.just("started"), "wait_s": st.just(9.0)},
        ev.InjectDropped: {"inject": NUMBERS},
        ev.InjectsPlanned: {"set": st.just(SECRET), "plans": st.just(())},
        ev.InjectWaits: {"inject": NUMBERS, "why": st.just(SECRET)},
        ev.FaultArmed: {"name": st.just("h1"), "fault": st.just(SECRET), "target": st.just(SECRET), "spec": st.just({"a": SECRET})},
        ev.FaultDisarmed: {"name": st.just(SECRET), "of": st.just("h1"), "why": st.just(SECRET)},
        ev.ColleagueReverted: {"name": st.just("h2"), "colleague": st.just(SECRET), "change": NUMBERS, "by_change": NUMBERS},
        ev.HerringPlanted: {"name": st.just("h3"), "colleague": st.just(SECRET), "change": NUMBERS, "says": st.just(SECRET)},
        ev.StatusAsked: {"ask": NUMBERS, "sender": WORDS, "text": WORDS, "due_ts": st.just(9.0), "press": st.just(SECRET),
                         "presses": NUMBERS, "within_s": st.just(60.0), "inject": NUMBERS},
        ev.StatusPressed: {"ask": NUMBERS, "sender": WORDS, "text": WORDS, "due_ts": st.just(9.0)},
        ev.StatusUpdated: {"text": WORDS, "asks": st.lists(NUMBERS, max_size=2).map(tuple)},
        ev.SteppedTo: {"event": NUMBERS},
        ev.FailuresShown: {"on": st.booleans()},
    }  # fmt: skip


WHATS = st.one_of([st.builds(kind, **fields) for kind, fields in fields_of().items()])


def begun() -> list[Any]:
    """What is there before anything else happens."""
    opened = ev.Opened(
        title="t", briefing="b", backend="virtual", began_ts=0.0, length_s=600.0, world_rate=60.0, held=False
    )
    people = [ev.Joined(participant=who, name=who.upper(), role=role) for who, role in PEOPLE.items()]
    board = [
        made for n in (1, 2, 3) for made in (ev.TaskAdded(task=n, text="x"), ev.HypothesisAdded(hypothesis=n, text="x"))
    ]
    return [opened, *people, *board]


def told(happened: list[tuple[str, Any]]) -> tuple[list[Event], Shared, Aside]:
    events = [
        Event(seq=n, who=who, role=PEOPLE.get(who), wall_ts=n, world_ts=n, what=what)
        for n, (who, what) in enumerate([("room", what) for what in begun()] + happened, 1)
    ]
    shared, aside = Shared(), Aside()
    for event in events:
        shared.apply(event)
        aside.apply(event)
    return events, shared, aside


HAPPENED = st.lists(st.tuples(st.sampled_from([*PEOPLE, INSTRUCTOR]), WHATS), max_size=30)


@given(happened=HAPPENED, me=st.sampled_from(sorted(PEOPLE)))
def test_whatever_happens_no_word_of_the_instructors_or_of_the_truth_reaches_the_team(happened, me):
    events, shared, aside = told(happened)
    person = shared.people[me]

    document = projections.of_participant(shared, person, 9.0, 0.03)
    stream = [projections.event_for(event, person.role) for event in events]
    received = document.model_dump_json() + json.dumps(stream)
    instructors = projections.of_instructor(shared, aside, TRUTH, 9.0).model_dump_json()

    assert SECRET not in received
    assert not any(word in received for word in ("session-stream-lag", "stream-lag", "zz-explained"))
    assert "zz-explained" in instructors
    if person.role is Role.observer:
        assert not any(word in received for word in PRIVATE)


@given(happened=HAPPENED, seq=st.integers(1, 40))
def test_looking_back_tells_a_team_no_word_of_the_instructors_either(happened, seq):
    events, _, _ = told(happened)

    then = moments.moment(events, seq, {}).model_dump_json()
    lines = json.dumps([line.text for line in moments.lines(events, aside=False)])

    assert SECRET not in then + lines


@given(happened=HAPPENED)
def test_the_stream_tells_a_trainee_all_but_what_is_the_instructors(happened):
    events, _, _ = told(happened)

    got = {event["seq"] for e in events if (event := projections.event_for(e, Role.scribe)) is not None}

    assert got == {event.seq for event in events if event.kind not in INSTRUCTORS}


@given(happened=HAPPENED)
def test_what_went_through_the_journal_is_what_it_was(happened):
    events, shared, aside = told(happened)
    again = [Event.model_validate_json(event.model_dump_json()) for event in events]
    other, apart = Shared(), Aside()
    for event in again:
        other.apply(event)
        apart.apply(event)

    assert again == events
    assert (other, apart) == (shared, aside)


def test_every_kind_of_event_is_among_those_that_are_tried():
    union, _ = get_args(ev.AnyWhat)
    beginning_and_debrief = {ev.Opened, ev.Joined, ev.Graded}

    assert set(fields_of()) == set(get_args(union)) - beginning_and_debrief


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Shared)])
def test_what_trainees_documents_are_made_from_has_no_place_for_the_truth(field):
    assert field not in ("truth", "scenario", "faults", "drill", "aside", "overrides", "notes")


@pytest.mark.parametrize("role", JOINABLE)
def test_a_whole_room_tells_nothing_of_its_scenario_before_the_debrief(opened: Scene, role: Role):
    me = opened.join("Ann", role)
    other = opened.join("Bob", "operations" if role is not Role.operations else "commander")
    opened.pass_(25)
    opened.do(other, "ask", sql="select 1")
    opened.do(INSTRUCTOR, "note", text="session-stream-lag is armed")
    received = json.dumps([opened.room.state(me), opened.room.events_after(0, me)]).encode()
    instructors = json.dumps(opened.room.state(INSTRUCTOR)).encode()

    names = ("session-stream-lag", "stream-lag")
    assert not any(name.encode() in received for name in names)
    assert all(name.encode() in instructors for name in names)
