"""What an instructor does to a room: faults by hand, injects that act, colleagues who revert, stakeholders who press."""

from __future__ import annotations

import json

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.play import by_hand
from sandbox.drill.play.journal import Entry
from sandbox.room.events import INSTRUCTOR, INSTRUCTORS
from sandbox.runtime.operate.operations import Record
from tests.unit.room.desk import PAGE_S, WORLD_START, Scene

SLOW = {"do": "arm", "fault": "rpc-edge-latency", "target": "gateway->rules", "params": {"delay_ms": 40}}
RELEASE = {"do": "arm", "fault": "rules-fail-open", "target": "gateway", "params": {"timeout_ms": 4}, "release": {
    "key": "rules", "new": "120", "patches": {"gateway": {"rules": {"deadline_ms": 120}}}}}  # fmt: skip


def twist(scene: Scene, **does: object) -> int:
    return scene.do(INSTRUCTOR, "twist", does=does)


def last(scene: Scene, kind: str):
    return [event.what for event in scene.room.events if event.kind == kind][-1]


def test_a_fault_is_put_on_by_hand_and_taken_off(opened: Scene):
    opened.join("Ann", "commander")
    armed = opened.what(twist(opened, **SLOW))
    on = dict(opened.desk.hands.on)
    there = opened.room.state(INSTRUCTOR)["armed"]
    twist(opened, do="disarm", of="rpc-edge-latency")

    assert on == {armed.name: ("gateway", "rpc-edge-latency")}
    assert [(row["fault"], row["target"]) for row in there] == [("rpc-edge-latency", "gateway->rules")]
    assert opened.desk.hands.on == {}
    assert opened.room.state(INSTRUCTOR)["armed"] == []
    with pytest.raises(SandboxError, match="ROOM-009"):
        twist(opened, do="disarm", of="rpc-edge-latency")


def test_one_that_spoils_a_release_comes_with_it_and_goes_when_that_is_taken_back(opened: Scene):
    opened.join("Ann", "commander")
    opened.do(INSTRUCTOR, "twist", does=RELEASE)
    opened.pass_(1)
    assert last(opened, "fault_armed").change == 1
    opened.desk.hands.revert(1, "operator")
    opened.pass_(1)

    assert last(opened, "fault_disarmed").why == "its release was taken back"
    assert opened.room.state(INSTRUCTOR)["armed"] == []


def test_it_ends_by_itself_in_time_or_by_what_the_team_does(opened: Scene):
    ann = opened.join("Ann", "commander")
    twist(opened, **SLOW, for_s=600)
    twist(opened, **{**SLOW, "target": "gateway->features"}, ends_on=["restart service=stream"])
    opened.pass_(5)
    both = len(opened.desk.hands.on)
    opened.do(ann, "act", action="restart service=stream")
    after_the_act = len(opened.desk.hands.on)
    opened.pass_(7)

    assert (both, after_the_act, len(opened.desk.hands.on)) == (2, 1, 0)
    whys = [event.what.why for event in opened.room.events if event.kind == "fault_disarmed"]
    assert whys == ["restart service=stream", "its time was over"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fault": "rpc-edge-latancy"}, "such as rpc-edge-latency"),
        ({"params": {"delay_ms": 9_000}}, "'maximum': 400"),
        ({"params": {"colour": 1}}, "a knob of rpc-edge-latency"),
        ({"target": "rules"}, "target"),
        ({"scope": {"items": [1]}}, "no items at rpc"),
        ({"for_s": -1}, "greater than 0"),
        ({"ends_on": ["dance"]}, "none of the operations"),
        ({"fault": "group-underrepresented"}, "a scenario brings it"),
        ({"fault": "rules-fail-open", "target": "gateway", "params": {}}, "needs the release"),
        ({"params": {"a": "x" * 9_000}}, "at most"),
    ],
)
def test_what_cannot_be_armed_is_refused_with_its_reason_and_nothing_is_done(opened: Scene, wrong, said):
    opened.join("Ann", "commander")
    with pytest.raises(SandboxError, match="ROOM-006") as refused:
        twist(opened, **{**SLOW, **wrong})

    assert said in refused.value.expected
    assert opened.desk.hands.on == {}


def test_a_colleague_takes_back_the_teams_last_change_under_their_own_name(opened: Scene):
    ann = opened.join("Ann", "commander")
    with pytest.raises(SandboxError, match="ROOM-009"):
        twist(opened, do="revert", colleague="robin")
    opened.do(ann, "act", action="restart service=stream")
    twist(opened, do="revert", colleague="robin", text="I took it back")

    made = opened.desk.changes.made[-1]
    assert (made.actor, made.op, made.arguments) == ("robin", "revert", {"change": "1"})
    assert [m["text"] for m in opened.room.state(ann)["messages"]] == ["I took it back"]
    with pytest.raises(SandboxError, match="ROOM-009"):
        twist(opened, do="revert", colleague="robin", change=1)


def test_a_herring_is_an_entry_of_the_change_log_and_only_the_instructor_knows_it_for_one(opened: Scene):
    ann = opened.join("Ann", "commander")
    twist(opened, do="herring", sender="dana", text="was it me?",
          change={"target": "gateway", "key": "banner_copy", "new": "spring"})  # fmt: skip

    assert opened.desk.changes.made[-1].actor == "dana"
    received = json.dumps([opened.room.state(ann), opened.room.events_after(0, ann)])
    assert "was it me?" in received
    assert "herring" not in received
    assert "herring_planted" in json.dumps(opened.room.events_after(0, INSTRUCTOR))


def test_somebody_asks_for_a_status_update_and_presses_until_it_comes(opened: Scene):
    ann, bob = opened.join("Ann", "communications"), opened.join("Bob", "operations")
    twist(
        opened, do="ask_status", sender="your boss", text="where do we stand?", within_s=300, presses=2, press="well?"
    )
    asked = opened.room.state(ann)["requests"]
    opened.pass_(6)
    pressed = [m["text"] for m in opened.room.state(ann)["messages"]]
    with pytest.raises(SandboxError, match="ROOM-002"):
        opened.do(bob, "status_update", text="fine")
    opened.do(ann, "status_update", text="it is slow; we look")
    opened.pass_(10)

    assert [(one["sender"], one["pressed"]) for one in asked] == [("your boss", 0)]
    assert pressed == ["where do we stand?", "well?"]
    state = opened.room.state(ann)
    assert state["requests"] == []
    assert [m["text"] for m in state["messages"]] == [*pressed, "it is slow; we look"]
    with pytest.raises(SandboxError, match="ROOM-009"):
        opened.do(ann, "status_update", text="again", ask=1)


def test_they_press_as_often_as_was_said_and_no_oftener(opened: Scene):
    opened.join("Ann", "communications")
    twist(opened, do="ask_status", sender="your boss", text="?", within_s=60, presses=2, press="well?")
    opened.pass_(10)

    assert opened.kinds().count("status_pressed") == 2


# -- planned ---------------------------------------------------------------------------------------


def test_a_fault_comes_some_time_after_what_the_team_did(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.do(INSTRUCTOR, "inject_plan", does=SLOW, after="acted", after_like="restart*", wait_s=120)
    opened.do(ann, "ask", sql="select 1")
    opened.pass_(5)
    before = dict(opened.desk.hands.on)
    opened.do(ann, "act", action="restart service=stream")
    opened.pass_(3)

    assert before == {}
    assert len(opened.desk.hands.on) == 1
    assert opened.room.state(INSTRUCTOR)["plans"] == []
    opened.pass_(5)
    assert len(opened.desk.hands.on) == 1, "once"


def test_what_the_team_did_that_is_like_it_holds_it_back_and_other_things_do_not(opened: Scene):
    ann = opened.join("Ann", "commander")
    press = {"sender": "x", "after": "started", "wait_s": 240, "unless": "asked"}
    opened.do(INSTRUCTOR, "inject_plan", text="nobody asks of the store", unless_like="redis_stats", **press)
    opened.do(INSTRUCTOR, "inject_plan", text="nobody asks of spans", unless_like="from spans", **press)
    opened.do(ann, "ask", sql="SELECT count(*) FROM redis_stats")
    opened.pass_(6)

    assert [m["text"] for m in opened.room.state(ann)["messages"]] == ["nobody asks of spans"]


def test_one_that_cannot_be_done_waits_for_the_instructor_and_does_not_vanish(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.do(INSTRUCTOR, "inject_plan", does={"do": "revert", "colleague": "robin"}, wait_s=60)
    opened.pass_(3)
    waits = opened.room.state(INSTRUCTOR)["plans"]
    opened.do(ann, "act", action="restart service=stream")
    opened.pass_(3)
    untouched = len(opened.desk.changes.made)
    opened.do(INSTRUCTOR, "inject_fire", inject=1)

    assert "there is none" in waits[0]["waits"]
    assert opened.kinds().count("inject_waits") == 1
    assert untouched == 1
    assert opened.desk.changes.made[-1].actor == "robin"
    assert opened.room.state(INSTRUCTOR)["plans"] == []


def test_one_for_the_hand_waits_for_it(opened: Scene):
    opened.join("Ann", "commander")
    opened.do(INSTRUCTOR, "inject_plan", sender="x", text="now!", after=None)
    opened.pass_(10)
    before = opened.kinds().count("injected")
    opened.do(INSTRUCTOR, "inject_fire", inject=1)

    assert (before, opened.kinds().count("injected")) == (0, 1)
    with pytest.raises(SandboxError, match="ROOM-009"):
        opened.do(INSTRUCTOR, "inject_fire", inject=1)


def test_what_changes_the_world_and_is_late_asks_and_a_message_comes_late(opened: Scene):
    opened.join("Ann", "commander")
    opened.do(INSTRUCTOR, "inject_plan", does=SLOW, wait_s=60)
    opened.do(INSTRUCTOR, "inject_plan", sender="x", text="late", wait_s=60)
    opened.desk.wait(WORLD_START + 1_000)  # nobody served it meanwhile

    again = opened.again()

    assert again.desk.hands.on == {}
    assert "late" in again.room.state(INSTRUCTOR)["plans"][0]["waits"]
    assert last(again, "injected").text == "late"
    again.room.close()


@pytest.mark.parametrize("lost", ["event", "outcome and event", "message"])
def test_after_a_crash_at_any_place_nothing_is_done_twice_and_nothing_is_lost(opened: Scene, lost: str):
    """What the desk did last is taken out of the room's journal, as if the server had been killed just before."""
    ann = opened.join("Ann", "commander")
    opened.do(ann, "act", action="restart service=stream")
    opened.do(INSTRUCTOR, "twist", id="once", does={"do": "revert", "colleague": "robin", "text": "mine"})
    cut = 1 if lost == "message" else 2
    lines = opened.journal.path.read_bytes().splitlines(keepends=True)
    opened.journal.path.write_bytes(b"".join(lines[:-cut]))
    if lost == "outcome and event":
        drills_own = opened.desk.drill.journal.path
        drills_own.write_bytes(b"".join(drills_own.read_bytes().splitlines(keepends=True)[:-1]))

    again = opened.again()
    seq = again.do(INSTRUCTOR, "twist", id="once", does={"do": "revert", "colleague": "robin", "text": "mine"})

    assert [record.op for record in again.desk.changes.made] == ["restart", "revert"]
    assert again.kinds()[-2:] == ["colleague_reverted", "injected"]
    assert again.what(seq).kind == "colleague_reverted"
    assert opened.kinds() == again.kinds()
    again.room.close()


def test_when_time_is_up_the_world_cannot_be_twisted_any_more_but_people_may_write(opened: Scene):
    opened.join("Ann", "commander")
    opened.desk.wait(WORLD_START + opened.room.shared.opened.length_s)
    opened.pass_(1)
    assert opened.room.shared.phase == "time_up"

    with pytest.raises(SandboxError, match="ROOM-003"):
        twist(opened, **SLOW)
    twist(opened, do="say", sender="x", text="and?")
    assert last(opened, "injected").text == "and?"


def test_nothing_of_a_twist_reaches_the_team_but_what_it_is_meant_to_show(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.do(ann, "act", action="restart service=stream")
    opened.do(INSTRUCTOR, "inject_set", set="second-front")
    opened.do(INSTRUCTOR, "inject_set", set="false-trails")
    twist(opened, **SLOW)
    twist(opened, do="revert", colleague="robin")
    twist(opened, do="ask_status", sender="your boss", text="where?", within_s=9_000, press="zz-press")
    opened.do(INSTRUCTOR, "inject_plan", does={"do": "revert", "colleague": "zz-colleague", "change": 99}, wait_s=0)
    opened.pass_(PAGE_S / 60 + 2)
    received = json.dumps([opened.room.state(ann), opened.room.events_after(0, ann)])

    for word in ("rpc-edge-latency", "delay_ms", "zz-", "herring", "second-front", "inject", "by_hand", *INSTRUCTORS):
        assert word not in received.replace('"injected"', ""), word
    assert "where?" in received


# -- what it means for the grade ---------------------------------------------------------------------


def test_the_drills_journal_tells_what_was_done_by_hand_and_the_debrief_says_so(opened: Scene):
    ann = opened.join("Ann", "commander")
    twist(opened, **SLOW)
    twist(opened, do="herring", sender="dana", text="was it me?")
    opened.do(ann, "end")
    opened.pass_(1)
    graded = opened.wait_for("graded")

    assert [row["do"] for row in graded.truth["by_hand"]] == ["arm"]
    assert [row["text"] for row in graded.truth["herrings"]] == ["was it me?"]
    assert any("by hand" in notice for notice in graded.document["notices"])
    sealed = opened.desk.drill.journal.path.read_bytes()
    assert b"rpc-edge-latency" not in sealed


def test_for_the_twin_what_a_hand_did_never_happened():
    """Change 2 is a colleague's revert, 3 the team's revert of it, 5 a revert of that: there, 4 is the second change."""

    def revert(n: int, of: int, actor: str = "operator") -> Record:
        return Record(n, 0.0, actor, "revert", {"change": str(of)}, "x", "y", "-", "-")

    def action(of: int) -> Entry:
        forms = [["revert", [["change", str(of)]]], ["set", [["field", "x"]]]]
        return Entry(1.0, 1.0, "trainee", "action", {"text": f"revert change={of}", "forms": forms})

    act = [Record(n, 0.0, "operator", "restart", {}, "x", "y", "-", "-") for n in (1, 4)]
    records = [act[0], revert(2, 1, "robin"), revert(3, 2), act[1], revert(5, 3), revert(6, 4)]
    gone = by_hand.vanished(records, {2})
    told = by_hand.as_planned([action(2), action(3), action(4), action(1)], gone)

    assert gone == {2, 3, 5}
    assert [entry.fields["text"] for entry in told] == ["revert change=2", "revert change=1"]
    assert told[0].fields["forms"] == [["revert", [["change", "2"]]], ["set", [["field", "x"]]]]


@pytest.mark.parametrize("name", ["operator", "Engine", "release-bot"])
def test_a_colleague_is_none_whose_changes_are_counted_as_somebody_elses(opened: Scene, name):
    change = {"target": "rules", "key": "banner", "new": "b"}
    for does in ({"do": "revert", "colleague": name}, {"do": "herring", "sender": name, "change": change}):
        with pytest.raises(SandboxError, match="another name than"):
            twist(opened, **does)


def test_whether_a_message_was_planned_is_not_told_by_the_name_of_its_command(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.do("instructor", "inject", sender="A customer", text="Hello?", id="c1")
    opened.do(ann, "chat", text="Hello.", id="c2")

    events, _ = opened.room.events_after(0, ann)
    assert [e["command"] for e in events if e["kind"] in ("injected", "chatted")] == [None, "c2"]
