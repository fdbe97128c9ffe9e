"""A room and a drill told again: as they were at every moment, by those who may know it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sandbox.base.errors import SandboxError
from sandbox.cli.app import app
from sandbox.drill.play import drills
from sandbox.drill.play.notebook import Notebook
from sandbox.room import house
from sandbox.room.events import KINDS
from sandbox.room.house import Deed
from sandbox.room.record import moments, recordings
from sandbox.room.record.lakes import Lakes
from sandbox.room.record.listing import listed
from sandbox.room.record.moments import Line, due_s
from sandbox.room.record.telling import UNTOLD
from sandbox.room.record.then import then
from tests.unit.drill.desk import WORLD_START, begun_drill, paged
from tests.unit.room.desk import PAGE_S, Scene
from tests.unit.room.panels.toy import write_lake


def played(scene: Scene) -> list[dict]:
    """A short drill to its debrief. Returns what a trainee's state was after each event."""
    ann = scene.join("Ann", "commander")
    states = []
    for kind, fields in (
        ("chat", {"text": "hello"}), ("hypothesis_add", {"text": "it is slow"}), ("task_add", {"text": "look"}),
        ("ask", {"sql": "select 1"}), ("act", {"action": "restart service=stream"}),
        ("hypothesis_refute", {"hypothesis": 1, "note": "no"}), ("report_field", {"field": "notes", "value": "x"}),
    ):  # fmt: skip
        scene.do(ann, kind, **fields)
        states.append(scene.room.state(ann))
    return states


def test_the_room_is_shown_as_it_was_at_each_moment(opened: Scene):
    states = played(opened)

    for state in states:
        then = moments.moment(opened.room.events, state["seq"], {}).model_dump(mode="json")
        for part in ("messages", "hypotheses", "tasks", "queries", "actions", "report", "participants"):
            assert then[part] == state[part], part
        assert then["grade"] is None
        assert then["truth"] == {}


def test_the_truth_is_shown_as_far_as_it_had_come(opened: Scene):
    played(opened)
    truth = {
        "id": "s",
        "done": [{"world_ts": WORLD_START - 1, "what": "armed"}, {"world_ts": WORLD_START + 9e9, "what": "step"}],
    }

    then = moments.moment(opened.room.events, 3, truth)

    assert [row["what"] for row in then.truth["done"]] == ["armed"]


def test_every_kind_of_event_has_its_line_but_those_that_need_none():
    assert {"opened", "inject_dropped", "stepped_to"} >= UNTOLD
    assert set(KINDS) > UNTOLD


def test_what_is_the_instructors_alone_stands_in_no_line_of_others(opened: Scene):
    played(opened)
    opened.do("instructor", "note", text="they are lost")

    told = [line.text for line in moments.lines(opened.room.events, aside=False)]
    all_of_it = [line.text for line in moments.lines(opened.room.events, aside=True)]

    assert "instructor noted: they are lost" in all_of_it
    assert not any("they are lost" in text for text in told)
    assert "Ann: hello" in told


@given(st.lists(st.floats(0, 1e5), min_size=1), st.floats(0.1, 1e4), st.floats(1, 100))
def test_a_replay_keeps_the_worlds_pace_and_its_order(times: list[float], speed: float, rate: float):
    lines = [
        Line(seq=n, kind="chatted", by="", role=None, world_ts=ts, wall_ts=None, text="") for n, ts in enumerate(sorted(times), 1)
    ]  # fmt: skip

    due = [at for at, _ in due_s(lines, rate, speed)]

    assert due == sorted(due)
    assert due[0] == 0
    assert due[-1] == pytest.approx((max(times) - min(times)) / (rate * speed))
    assert {at for at, _ in due_s(lines, rate, 0)} == {0.0}


def test_a_drill_in_a_terminal_is_told_like_a_room_with_one_in_it(place):
    drill = paged(begun_drill(place), PAGE_S)
    Notebook(drill.directory).note_look("select 1", WORLD_START + PAGE_S + 60)
    drill.journal.append(WORLD_START + PAGE_S + 120, "trainee", "action", text="restart service=stream", forms=[])
    with pytest.raises(SandboxError, match="DRILL-006"):
        recordings.recording(drill.plan.drill)
    drill.journal.append(WORLD_START + PAGE_S + 180, "trainee", "abandoned")
    (drill.directory / "grade.json").write_text(json.dumps({"score": 0.4, "items": []}))

    found = recordings.recording(drill.plan.drill)
    kinds = [line.kind for line in found.lines(instructor=True)]

    assert kinds == ["joined", "started", "truth", "page_came", "asked", "acted", "ended", "graded"]
    assert found.moment(5, instructor=True).page is not None
    assert found.moment(5, instructor=True).actions == []
    assert [(line.name, line.score) for line in listed()] == [(drill.plan.drill, 0.4)]


def test_before_the_grade_nobody_but_the_instructor_is_told_the_truth(opened: Scene):
    played(opened)
    drill = opened.desk.drill
    place = house.root() / "ABCDEF"
    place.mkdir(parents=True)
    (place / "room.json").write_text(json.dumps(Deed("ABCDEF", "s", "virtual", drill.plan.drill, False).__dict__))
    (place / "journal.jsonl").write_bytes(opened.journal.path.read_bytes())

    found = recordings.recording("abcdef")

    assert "session-stream-lag" in found.moment(5, instructor=True).model_dump_json()
    assert "session-stream-lag" not in found.moment(99, instructor=False).model_dump_json()
    assert not any(line.kind == "truth" for line in found.lines(instructor=False))


def test_the_command_tells_it_at_once_or_in_one_document(place):
    drill = paged(begun_drill(place), PAGE_S)
    drill.journal.append(WORLD_START + PAGE_S + 120, "trainee", "action", text="restart [bold]\u202e", forms=[])
    drill.journal.append(WORLD_START + PAGE_S + 180, "trainee", "abandoned")

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["room", "replay", drill.plan.drill, *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    told, document = run("--speed", "0"), json.loads(run("--json"))
    then = json.loads(run("--at", "4", "--json"))

    assert "trainee did restart [bold]‹U+202E›" in told
    assert "06:33:20    4 the page came: it is slow" in told
    assert [line["kind"] for line in document["lines"]] == ["joined", "started", "page_came", "acted", "ended"]
    assert then["page"]["text"] == "it is slow"
    assert then["actions"] == []
    assert "page" in run("--at", "4")
    assert "session-stream-lag" not in told + json.dumps(document), "without a grade the truth is kept"


@pytest.mark.parametrize("name", ["NOBODY", "../drills", "", "a/b"])
def test_a_recording_that_there_is_not_is_refused(name: str, place):
    drills.root().mkdir(parents=True)
    with pytest.raises(SandboxError, match="ROOM-001"):
        recordings.recording(name)


def with_a_lake(drill: drills.Drill, at_ts: float) -> None:
    """Three requests, of which the last comes at that time; each is 60 s after the one before."""
    write_lake(Path(drill.plan.run_dir) / "lake", end=at_ts + 70)


def test_the_stack_is_shown_as_it_had_been_written_by_each_moment(opened: Scene):
    """Of a room the answers are those that were given, whatever the lake has come to since."""
    ann = opened.join("Ann", "commander")
    opened.pass_(20)
    first = opened.do(ann, "ask", sql="select 1")
    opened.pass_(30)
    last = opened.do(ann, "chat", text="now")
    with_a_lake(opened.desk.drill, opened.room.now() - 1)
    found = recordings.Recording(
        "A", "room", "", "virtual", opened.room.events, {}, Path(opened.desk.drill.plan.run_dir) / "lake"
    )

    with closing(Lakes()) as lakes:
        early, late = (then(found, seq, lakes) for seq in (first, last))

    assert early.stack is not None
    assert late.stack is not None
    assert [one.rule for one in early.stack.alerts] == []
    assert [one.rule for one in late.stack.alerts] == ["plain"]
    assert early.answer is not None
    assert (early.answer.columns, len(early.answer.rows), early.answer.asked_again) == ([":n", "n"], 200, False)
    assert late.answer is None


def test_an_answer_that_was_kept_nowhere_is_asked_for_again_of_the_lake_of_then(place):
    drill = paged(begun_drill(place), PAGE_S)
    at_ts = WORLD_START + PAGE_S + 60
    Notebook(drill.directory).note_look("SELECT count(*) AS n FROM requests WHERE ts < $now AND $paged > $began", at_ts)
    Notebook(drill.directory).note_look("SELECT nothing FROM nowhere", at_ts + 1)
    drill.journal.append(WORLD_START + PAGE_S + 180, "trainee", "abandoned")
    with_a_lake(drill, at_ts + 30)
    found = recordings.recording(drill.plan.drill)
    asked, wrong = (event.seq for event in found.events if event.kind == "asked")

    with closing(Lakes()) as lakes:
        told, refused = (then(found, seq, lakes) for seq in (asked, wrong))
        gone = then(replace(found, lake=None), asked, lakes)

    assert told.answer is not None
    assert (told.answer.columns, told.answer.rows, told.answer.asked_again) == (["n"], [[2]], True)
    assert (refused.answer, refused.why[:8]) == (None, "LAKE-004")
    assert (gone.stack, gone.answer, gone.why) == (None, None, "its telemetry is gone")
