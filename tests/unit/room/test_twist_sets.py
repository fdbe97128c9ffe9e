"""Ready-made sets of injects: the program's can all be planned, and of one's own what is wrong is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.events import INSTRUCTOR
from sandbox.room.twists import sets
from sandbox.room.twists.catalogue import armable
from sandbox.room.twists.deeds import deed_of
from tests.unit.room.desk import Scene

GOOD = "title: t\nabout: a\ninjects:\n  - sender: x\n    text: hello\n    wait_s: 60\n"


def write(name: str, text: str) -> Path:
    path = sets.own_folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_set_of_the_program_can_be_planned(opened: Scene):
    opened.join("Ann", "commander")
    there = sets.all_sets()
    for one in there.sets:
        opened.do(INSTRUCTOR, "inject_set", set=one.id)

    assert there.refused == {}
    assert len(opened.room.state(INSTRUCTOR)["plans"]) == sum(len(one.injects) for one in there.sets)


def test_one_of_ones_own_is_found_and_a_broken_one_hides_no_other(opened: Scene):
    write("mine.yaml", GOOD)
    write("broken.yaml", GOOD + "  - text: of nobody\n")

    there = sets.all_sets()
    opened.do(INSTRUCTOR, "inject_set", set="mine")

    assert "mine" in {one.id for one in there.sets}
    assert "broken.yaml:7" in there.refused["broken.yaml"]
    assert [plan["text"] for plan in opened.room.state(INSTRUCTOR)["plans"]] == ["hello"]


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        (GOOD.replace("wait_s: 60", "wait_s: soon"), "x.yaml:6, injects[0].wait_s", "number"),
        (GOOD.replace("wait_s: 60", "after: sunrise"), "x.yaml:4, injects[0]", "one of"),
        (GOOD + "  - does: {do: arm, fault: no-such, target: rules}\n", "x.yaml:7, injects[1].does", "fault"),
        (GOOD + "  - does: {do: dance}\n", "x.yaml:7, injects[1].does", "tag"),
        ("title: t\nabout: a\n", "x.yaml:1", "required"),
        ("- 1\n", "x.yaml:1", "a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_its_place(place: Path, text: str, where: str, expected: str):
    with pytest.raises(SandboxError, match="ROOM-006") as refused:
        sets.load(write("x.yaml", text))

    assert refused.value.where.startswith(where)
    assert expected in refused.value.expected


def test_a_set_that_there_is_not_is_named_with_those_that_there_are(opened: Scene):
    with pytest.raises(SandboxError, match="ROOM-009") as refused:
        opened.do(INSTRUCTOR, "inject_set", set="nothing")

    assert "restless-management" in refused.value.expected


def test_every_example_of_a_fault_can_be_armed_as_it_stands():
    there = [one for one in armable() if one.example is not None and not one.why_not]

    assert len(there) > 20
    for one in there:
        assert deed_of({"do": "arm", **one.example}).fault == one.name
