"""Messages that come by themselves: on time, or because a team did something, or failed to."""

from __future__ import annotations

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.events import INSTRUCTOR
from sandbox.room.injects import Plan, Times, due, due_ts
from tests.unit.room.desk import PAGE_S, WORLD_START, Scene

PRESS = {"sender": "your boss", "text": "does anybody look at it?", "after": "page_came", "unless": "acknowledged"}


def texts(scene: Scene) -> list[str]:
    return [message["text"] for message in scene.room.shared.messages]


def test_a_message_comes_at_its_time(opened: Scene):
    opened.do(INSTRUCTOR, "inject_plan", sender="the press", text="is it true?", wait_s=600)
    opened.join("Ann", "commander")
    opened.pass_(9)
    before = texts(opened)
    opened.pass_(3)

    assert before == []
    assert texts(opened) == ["is it true?"]
    opened.pass_(5)
    assert texts(opened) == ["is it true?"], "once"
    assert opened.room.state(INSTRUCTOR)["plans"] == []


def test_somebody_presses_when_nobody_acknowledges_and_not_when_somebody_did(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.do(INSTRUCTOR, "inject_plan", wait_s=120, **PRESS)
    opened.do(INSTRUCTOR, "inject_plan", wait_s=600, **{**PRESS, "text": "again: does anybody?"})
    opened.pass_(PAGE_S / 60 + 4)
    pressed = texts(opened)
    opened.do(ann, "acknowledge")
    opened.pass_(15)

    assert pressed == texts(opened) == ["does anybody look at it?"]
    plans = opened.room.state(INSTRUCTOR)["plans"]
    assert [(plan["text"], plan["due_ts"]) for plan in plans] == [("again: does anybody?", None)]


def test_one_that_was_due_while_nobody_served_the_room_comes_late_and_does_not_vanish(opened: Scene):
    opened.join("Ann", "commander")
    opened.do(INSTRUCTOR, "inject_plan", sender="the press", text="is it true?", wait_s=600)
    opened.desk.wait(WORLD_START + 900)

    again = opened.again()

    assert texts(again) == ["is it true?"]
    again.room.close()


def test_one_that_is_taken_back_does_not_come(opened: Scene):
    opened.join("Ann", "commander")
    opened.do(INSTRUCTOR, "inject_plan", sender="the press", text="is it true?", wait_s=60)
    opened.do(INSTRUCTOR, "inject_drop", inject=1)
    opened.pass_(5)

    assert texts(opened) == []
    with pytest.raises(SandboxError, match="ROOM-009"):
        opened.do(INSTRUCTOR, "inject_drop", inject=1)
    with pytest.raises(SandboxError, match="ROOM-006"):
        opened.do(INSTRUCTOR, "inject_plan", sender="x", text="x", wait_s=1, after="sunrise")


def test_the_earliest_comes_first_and_what_has_not_been_set_going_waits():
    times = Times({}, {})
    times.note("started", 100.0)
    late, early = Plan(1, "a", "late", "started", 50.0), Plan(2, "a", "early", "started", 10.0)
    never = Plan(3, "a", "never", "page_came", 0.0)

    assert due([late, early, never], times, 149.0) == [early]
    assert due([late, early, never], times, 150.0) == [early, late]
    assert due_ts(never, times) is None
