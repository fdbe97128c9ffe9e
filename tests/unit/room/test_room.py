"""A room, from joining to the debrief, on a desk without a stack."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.play import standing
from sandbox.drill.play.report import checked
from sandbox.room.commands import parsed
from sandbox.room.events import INSTRUCTOR
from sandbox.room.rights import Phase
from tests.services.waiting import wait_for
from tests.unit.room.desk import PAGE_S, WORLD_START, Marks, Scene, made, scene
from tests.unit.room.panels.toy import USER, write_lake

REPORT = {"incident": True, "component": "stream", "mechanism": "stream-lag", "started_at": WORLD_START + 600}


def refused(code: str):
    return pytest.raises(SandboxError, match=code)


def test_a_team_is_paged_looks_acts_reports_and_learns(opened: Scene):
    ann, bob = opened.join("Ann", "commander"), opened.join("Bob", "data_analyst")
    opened.pass_(PAGE_S / 60 + 1)
    opened.do(bob, "acknowledge")
    asked = opened.do(bob, "ask", sql="select $paged")
    supposed = opened.do(bob, "hypothesis_add", text="the stream lags")
    opened.do(
        bob, "hypothesis_support", hypothesis=1, evidence=[{"kind": "event", "value": str(asked)}], note="it is old"
    )
    opened.do(bob, "preview", action="restart service=stream")
    opened.do(ann, "act", preview=1)
    opened.do(bob, "report_field", field="notes", value="by Bob")
    opened.do(ann, "report_field", field="notes", value="by Ann")
    state = opened.room.state(bob)
    opened.do(ann, "file_report", report={**REPORT, "notes": "ours"})
    wait_for(lambda: opened.room.shared.phase is Phase.debrief, within_s=10)

    grade = opened.room.state(bob)["grade"]
    assert grade["score"] == 0.5
    assert grade["truth"]["truth"]["causes"][0]["mechanism"] == "stream-lag", "now it may be known"
    assert state["page"]["acknowledged_by"] == "Bob"
    assert "$paged" not in opened.desk.asked[0]
    assert state["hypotheses"][0]["verdict"] == "supported"
    assert [action["action"] for action in state["actions"]] == ["restart service=stream"]
    assert state["report"]["notes"] == {"value": "by Ann", "by": "Ann", "seq": supposed + 5}
    assert opened.kinds()[:3] == ["opened", "joined", "started"]


def test_rows_of_an_answer_go_by_place_whatever_they_are_called(opened: Scene):
    ann = opened.join("Ann", "commander")
    answer = opened.what(opened.do(ann, "ask", sql="select 1"))

    assert answer.columns == [":n", "n"]
    assert answer.rows[1] == [1, None]
    assert (len(answer.rows), answer.n_rows, answer.truncated) == (200, 500, True)


def test_the_rows_of_an_answer_that_did_not_fit_can_be_asked_for(opened: Scene):
    ann = opened.join("Ann", "commander")
    pages = [opened.what(opened.do(ann, "ask", sql="select 1", offset=at)) for at in (0, 200, 400, 500)]

    assert [row[0] for page in pages for row in page.rows] == list(range(500))
    assert [(page.offset, page.n_rows) for page in pages] == [(0, 500), (200, 500), (400, 500), (500, 500)]


def test_what_is_killed_is_as_it_was(opened: Scene):
    ann, bob = opened.join("Ann", "commander"), opened.join("Bob", "scribe")
    opened.do(ann, "chat", text="hello", links=[{"kind": "time", "value": "1"}])
    opened.do(ann, "task_add", text="look at the stream", to="Bob")
    opened.do(bob, "task_done", task=1)
    opened.do(bob, "timeline_edit", text="it began")
    opened.do(bob, "timeline_edit", text="it began here", entry=1)
    opened.do(ann, "hand_over", to="Bob")
    opened.do(ann, "leave")
    opened.do(INSTRUCTOR, "note", text="slow")
    opened.do(INSTRUCTOR, "pause")

    again = opened.again()

    for who in (bob, INSTRUCTOR):
        assert again.room.state(who) == opened.room.state(who)
        assert again.room.events_after(0, who) == opened.room.events_after(0, who)
    assert again.room.shared == opened.room.shared
    again.room.close()


def test_a_line_that_a_crash_cut_off_was_never_told_and_the_room_goes_on(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.do(ann, "chat", text="hello")
    whole = opened.journal.read()
    with opened.journal.path.open("ab") as file:
        file.write(b'{"seq": 5, "who": "p1", "what": {"kind": "chatted"}')

    again = opened.again()
    again.do(ann, "chat", text="still here")

    assert [event.seq for event in again.journal.read()] == list(range(1, len(whole) + 2))
    assert again.room.shared.messages[-1]["text"] == "still here"
    again.room.close()


def test_a_journal_with_a_hole_is_no_room(opened: Scene):
    opened.join("Ann", "commander")
    lines = opened.journal.path.read_bytes().splitlines(keepends=True)
    opened.journal.path.write_bytes(b"".join([lines[0], *lines[2:]]))

    with refused("ROOM-008"):
        opened.journal.read()


def test_what_was_done_but_not_told_when_it_was_killed_is_told_afterwards(opened: Scene):
    opened.join("Ann", "commander")
    opened.desk.act("restart service=stream")
    opened.desk.hint()

    again = opened.again()

    assert [e.kind for e in again.room.events][3:] == ["acted", "hint_taken"]
    assert {e.who for e in again.room.events[3:]} == {"room"}
    assert again.room.shared.actions[0]["action"] == "restart service=stream"
    again.room.close()


@pytest.mark.parametrize(("filed", "kind"), [(True, "report_filed"), (False, "ended")])
def test_a_drill_that_was_over_when_it_was_killed_has_its_debrief_afterwards(opened: Scene, filed: bool, kind: str):
    ann = opened.join("Ann", "commander")
    if filed:
        opened.desk.file(checked({**REPORT, "notes": "ours"}))
    else:
        opened.desk.abandon()

    again = made(opened.journal, opened.desk.drill, None, [0.0])
    again.take_up()
    wait_for(lambda: again.shared.phase is Phase.debrief, within_s=10)

    assert [event.kind for event in again.events][3:] == [kind, "graded"]
    assert again.state(ann)["grade"]["score"] == 0.5
    again.close()


def test_a_room_that_was_killed_while_it_was_opened_opens(opened: Scene):
    opened.journal.path.unlink()

    again = opened.again()

    assert again.kinds() == ["opened"]
    assert again.join("Ann", "commander") == "p1"
    again.room.close()


def test_a_figure_that_could_not_be_measured_breaks_no_stream(opened: Scene, monkeypatch):
    ann = opened.join("Ann", "commander")
    monkeypatch.setattr(opened.room, "_grade", Marks({"score": 0.0, "lost": float("nan")}))
    opened.do(ann, "end")
    wait_for(lambda: opened.room.shared.phase is Phase.debrief, within_s=10)

    told, _ = opened.room.events_after(0, ann)
    assert told[-1]["what"]["document"] == {"score": 0.0, "lost": None}
    assert opened.journal.read() == opened.room.events


def test_a_drill_that_cannot_be_graded_is_over_all_the_same(opened: Scene, monkeypatch):
    ann = opened.join("Ann", "commander")
    monkeypatch.setattr(opened.room, "_grade", Marks(ZeroDivisionError()))
    opened.do(ann, "end")

    assert opened.room.shared.phase is Phase.over
    assert opened.desk.closed, "a world that nobody needs holds no memory"
    opened.do(ann, "chat", text="what now?")


def test_one_command_sent_twice_is_done_once(opened: Scene):
    ann = opened.join("Ann", "commander")
    first = opened.do(ann, "act", action="restart service=stream", id="a1")
    second = opened.do(ann, "act", action="restart service=stream", id="a1")
    later = opened.again().do(ann, "act", action="restart service=stream", id="a1")

    assert first == second == later
    assert len(opened.desk.changes.made) == 1


def test_others_talk_and_act_and_the_world_goes_on_while_somebody_waits_for_an_answer(opened: Scene):
    ann, bob = opened.join("Ann", "commander"), opened.join("Bob", "operations")
    opened.desk.gate.clear()
    asking = threading.Thread(target=opened.do, args=(ann, "ask"), kwargs={"sql": "select 1"})
    asking.start()
    wait_for(lambda: opened.desk.asked == ["select 1"], within_s=5)

    opened.do(bob, "chat", text="are you there?")
    told = opened.room.state(bob)["messages"][-1]["text"]
    before = opened.room.now()
    opened.pass_(5)
    opened.do(bob, "act", action="restart service=stream")
    went = opened.room.now() - before
    opened.desk.gate.set()
    asking.join(5)

    assert told == "are you there?"
    assert went > 0
    assert opened.kinds()[-3:] == ["chatted", "acted", "asked"]


def test_a_drill_that_is_over_can_be_asked_still_by_its_kept_lake_and_by_nobody_where_that_is_gone(opened: Scene):
    ann, zoe = opened.join("Ann", "commander"), opened.join("Zoe", "observer")
    lake = Path(opened.desk.drill.plan.run_dir) / "lake"
    write_lake(lake)
    opened.do(ann, "end")
    wait_for(lambda: opened.desk.closed, within_s=10)

    seq = opened.do(ann, "ask", sql="SELECT count(*) AS n FROM requests WHERE ts < $now + INTERVAL 9 YEAR")
    looked, _ = opened.room.look_up("SELECT max(user_id) FROM requests", 1)
    with pytest.raises(SandboxError, match="ROOM-002"):
        opened.do(zoe, "ask", sql="select 1")
    shutil.rmtree(lake)
    again = made(opened.journal, opened.desk.drill, None, [0.0])
    with pytest.raises(SandboxError, match="whose telemetry is gone"):
        again.submit(ann, parsed({"kind": "ask", "sql": "select 1"}))
    again.close()

    assert opened.what(seq).rows == [[3]]
    assert looked.rows == [[USER]]
    assert opened.desk.asked == [], "its desk is gone"


def test_what_a_stack_writes_while_it_is_taken_down_is_nothing_of_the_drill(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.pass_(30)
    ended_ts = opened.room.now()
    write_lake(Path(opened.desk.drill.plan.run_dir) / "lake", end=ended_ts + 80)  # the last of three requests is later
    opened.do(ann, "end")

    found, _ = opened.room.look_up("SELECT count(*) FROM requests", 1)

    assert found.rows == [[2]]


def test_a_desk_is_closed_only_when_it_has_answered_whoever_asks_still(opened: Scene):
    ann, bob = opened.join("Ann", "commander"), opened.join("Bob", "operations")
    opened.desk.gate.clear()
    asking = threading.Thread(target=opened.do, args=(bob, "ask"), kwargs={"sql": "select 1"})
    asking.start()
    wait_for(lambda: opened.desk.asked == ["select 1"], within_s=5)

    opened.do(ann, "end")
    was_closed = opened.desk.closed
    opened.desk.gate.set()
    asking.join(5)
    opened.wait_for("graded")

    assert not was_closed
    assert opened.desk.closed
    assert opened.kinds()[-3:] == ["ended", "asked", "graded"]


def test_the_world_goes_by_the_wall_clock_once_somebody_is_there(opened: Scene):
    opened.pass_(5)
    before = opened.room.now()
    opened.join("Zoe", "observer")
    opened.pass_(5)
    with_observer = opened.room.now()
    opened.join("Ann", "commander")
    opened.pass_(30, tick_s=0.17)

    assert before == with_observer == WORLD_START
    assert opened.room.now() == pytest.approx(WORLD_START + 1_800, abs=30)


def test_a_held_room_waits_for_its_instructor(place):
    held = scene(place, held=True)
    ann = held.join("Ann", "commander")
    held.pass_(5)
    with refused("ROOM-003"):
        held.do(ann, "ask", sql="select 1")
    held.do(INSTRUCTOR, "start")
    held.pass_(5)
    held.do(INSTRUCTOR, "pause")
    paused = held.room.now()
    held.pass_(5)

    assert held.room.now() == paused > WORLD_START
    held.do(INSTRUCTOR, "start")
    held.do(INSTRUCTOR, "speed", factor=2)
    held.pass_(5)
    assert held.room.now() == pytest.approx(paused + 600, abs=32)
    held.room.close()


def test_a_clock_that_jumps_moves_no_world_by_hours(opened: Scene):
    opened.join("Ann", "commander")
    opened.pass_(1)
    before = opened.room.now()
    opened.hands[0] += 7_200
    opened.pass_(5)
    jumped = opened.room.now() - before
    opened.hands[0] -= 3_600
    opened.room.tick()

    assert jumped <= 5 * 60 + 120
    assert opened.room.now() >= before


def test_when_the_time_is_up_only_a_report_is_left(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.desk.wait(WORLD_START + opened.desk.drill.scenario.length_s)
    opened.pass_(1)

    assert opened.room.shared.phase is Phase.time_up
    with refused("ROOM-003"):
        opened.do(ann, "act", action="restart service=stream")
    opened.do(ann, "file_report", report=REPORT)
    assert "report_filed" in opened.kinds()


def test_a_live_room_says_why_it_does_not_pause(place):
    live = scene(place, live=True)

    with pytest.raises(SandboxError, match="--backend virtual"):
        live.do(INSTRUCTOR, "speed", factor=2)
    live.room.close()


def test_a_live_room_does_not_outlive_its_server_but_a_virtual_one_can_be_taken_up(place, tmp_path_factory):
    live, virtual = scene(place, live=True), scene(tmp_path_factory.mktemp("other"))
    for room in (live, virtual):
        room.join("Ann", "commander")
        room.room.close()

    assert live.kinds()[-1] == "ended"
    assert standing.is_over(live.desk.drill)
    assert not standing.is_over(virtual.desk.drill)
    assert live.desk.closed
    assert virtual.desk.closed


def test_two_cannot_be_commander_nor_have_one_name(opened: Scene):
    ann = opened.join("Ann", "commander")
    with refused("ROOM-007"):
        opened.join("Bob", "commander")
    with refused("ROOM-007"):
        opened.join("Ann", "operations")
    bob = opened.join("Bob", "operations")
    opened.do(ann, "hand_over", to="Bob")

    assert [(p.name, p.role) for p in opened.room.shared.here()] == [("Ann", "operations"), ("Bob", "commander")]
    opened.do(bob, "end")
    assert opened.what(len(opened.room.events)).kind in ("ended", "graded")


def test_a_commander_who_is_gone_can_be_replaced(opened: Scene):
    opened.join("Ann", "commander")
    bob, cyd = opened.join("Bob", "deputy"), opened.join("Cyd", "scribe")
    with refused("ROOM-002"):
        opened.do(cyd, "hand_over", to="Cyd", of="Ann")
    opened.do(bob, "hand_over", to="Bob", of="Ann")
    opened.do(INSTRUCTOR, "hand_over", to="Cyd", of="Bob")
    opened.do(INSTRUCTOR, "dismiss", participant="Ann")

    assert [(p.name, p.role) for p in opened.room.shared.here()] == [("Bob", "scribe"), ("Cyd", "commander")]
    with refused("ROOM-004"):
        opened.do("p1", "chat", text="I am back")
    assert opened.join("Ann", "deputy") == "p4"


def test_what_there_is_not_is_refused_and_the_room_goes_on(opened: Scene):
    ann = opened.join("Ann", "commander")
    for kind, fields, code in (
        ("task_done", {"task": 9}, "ROOM-009"),
        ("hand_over", {"to": "Nobody"}, "ROOM-009"),
        ("act", {"preview": 3}, "ROOM-009"),
        ("act", {"action": "rm -rf"}, "DRILL-007"),
        ("ask", {"sql": "wrong"}, "LAKE-004"),
        ("acknowledge", {}, "ROOM-003"),
        ("file_report", {"report": {"incident": True}}, "DRILL-003"),
        ("file_report", {"report": REPORT}, "DRILL-003"),  # before the page
    ):
        with refused(code):
            opened.do(ann, kind, **fields)
    with refused("ROOM-004"):
        opened.do("p9", "chat", text="who am I?")

    assert opened.do(ann, "chat", text="on we go") == len(opened.room.events)


def test_a_step_of_the_world_that_waited_while_the_report_was_filed_is_no_failure(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.do(ann, "end")

    assert opened.room._on_desk(opened.room._go_on) is False
    assert opened.kinds().count("ended") == 1
