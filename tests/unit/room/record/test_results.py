"""What a cohort can do: every item in one skill, means with bounds that hold, and a sheet that runs nothing."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sandbox.cli.app import app
from sandbox.drill.grading.grade import INCIDENT_WEIGHTS
from sandbox.room import house
from sandbox.room.house import Deed
from sandbox.room.record import skills
from sandbox.room.record.intervals import estimate
from sandbox.room.record.results import Session, session, summed
from sandbox.room.record.sheet import cell, sheet
from sandbox.room.record.skills import SKILLS
from tests.services.waiting import wait_for
from tests.unit.room.desk import PAGE_S, Scene

DOCS = Path(__file__).resolve().parents[4] / "docs/warroom.md"
MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)
ITEMS = [
    {"item": "detection", "score": 0.05, "max": 0.1}, {"item": "onset", "score": 0.0, "max": 0.1},
    {"item": "component", "score": 0.2, "max": 0.2}, {"item": "impact", "score": 0.0, "max": 0.0},
    {"item": "confidence", "score": 0.05, "max": 0.05}, {"item": "hints", "score": -0.03, "max": 0.0},
]  # fmt: skip


def one(name: str = "A", score: float = 0.5, began: datetime = MARCH, **told: object) -> Session:
    grade = {"score": score, "items": ITEMS}
    return session(name, "drill", "slow-home", "live", began, [], grade, ()).model_copy(update=told)


def test_every_item_of_a_grade_makes_one_skill_and_the_docs_have_the_table():
    parts = [part for of in SKILLS.values() for part in of]

    assert len(parts) == len(set(parts))
    assert set(parts) == set(INCIDENT_WEIGHTS) | set(skills.IN_A_ROOM)
    assert "\n".join(skills.table()) in DOCS.read_text()


def test_a_skill_is_what_its_items_earned_of_what_they_could():
    told = one().skills

    assert told["detect"] == pytest.approx(0.25)
    assert (told["locate"], told["communicate"]) == (1.0, 1.0)
    assert told["quantify"] is None, "what could earn nothing says nothing"


def test_who_reads_the_page_late_and_answers_nobody_communicates_less(opened: Scene):
    ann = opened.join("Ann", "commander")
    opened.pass_(PAGE_S / 60 + 1)
    opened.do("instructor", "inject", sender="press", text="is it true?")
    opened.do("instructor", "inject", sender="board", text="and now?")
    opened.do(ann, "chat", text="we are on it")
    opened.pass_(18)
    opened.do(ann, "acknowledge")
    opened.do("instructor", "inject", sender="press", text="well?")

    told = {mark.part: mark.score / mark.max for mark in skills.marks([], {}, opened.room.events)}

    assert told["answered"] == pytest.approx(2 / 3)
    assert 0.3 < told["acknowledged"] < 0.6


def test_what_the_instructor_gave_instead_counts(opened: Scene):
    opened.join("Ann", "commander")
    opened.do("instructor", "end")
    wait_for(lambda: opened.room.shared.grade is not None, within_s=10)
    opened.do("instructor", "override", item="detection", score=1.0, reason="they said so on the phone")
    opened.do("instructor", "override", item="score", score=0.9, reason="a good hour")

    found = session("A", "room", "s", "live", MARCH, ["Ann"], {"score": 0.5, "items": ITEMS}, opened.room.events)

    assert found.score == 0.9
    assert found.skills["detect"] == pytest.approx(0.5), "no more than the item can earn"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=30)
def test_bounds_hold_the_mean_and_more_of_the_same_narrows_them(values: list[float]):
    few, many = estimate(values, "x"), estimate(values * 4, "x")

    assert 0 <= few.low <= few.mean <= few.high <= 1
    assert many.high - many.low <= few.high - few.low + 0.02
    assert estimate(values, "x") == few


@pytest.mark.parametrize("n", [2, 8])
@pytest.mark.parametrize(("a", "b"), [(1, 1), (5, 1), (0.3, 0.3)])
def test_bounds_hold_as_often_as_they_say(n: int, a: float, b: float):
    """Tried on cohorts of a known mean: even ones, good ones, and ones of all or nothing."""
    drawn = np.random.Generator(np.random.Philox(7)).beta(a, b, (150, n))
    held = [found.low <= a / (a + b) <= found.high for row in drawn if (found := estimate(list(row), "x"))]

    assert np.mean(held) >= 0.93


def test_no_session_is_no_mean_and_one_says_nearly_nothing():
    assert estimate([], "x").mean is None
    alone = estimate([0.5], "x")
    assert alone.low < 0.1
    assert alone.high > 0.9


def test_results_are_cut_by_time_and_scenario():
    later = MARCH.replace(month=4)
    found = summed([one("B", 0.9, later, scenario="two-things"), one("A"), one("C")], None, None, "month")

    assert [(group.name, group.n) for group in found.periods] == [("2026-03", 2), ("2026-04", 1)]
    assert [(group.name, group.n) for group in found.scenarios] == [("slow-home", 2), ("two-things", 1)]
    assert [s.name for s in found.sessions] == ["A", "C", "B"]
    assert found.whole.score.mean == pytest.approx(0.6333)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", " =HYPERLINK(1)", "\t=1", "＝1"])
def test_no_cell_is_a_formula(text: str):
    rows = list(csv.reader(io.StringIO(sheet(summed([one(people=[text, "Ann"])], None, None, "week")))))

    assert rows[0][:7] == ["name", "kind", "scenario", "backend", "began", "people", "score"]
    assert rows[1][5].startswith("'")
    assert rows[1][6] == "0.5"
    assert cell("Ann") == "Ann"


def test_a_room_that_was_graded_is_found_by_the_command(opened: Scene, tmp_path: Path):
    ann = opened.join("=cmd|' /C calc'!A0", "commander")
    opened.pass_(PAGE_S / 60 + 1)
    opened.do(ann, "file_report", report={"incident": False})
    wait_for(lambda: opened.room.shared.grade)  # its own, which comes by itself
    opened.room._append("room", None, graded(opened))
    place = house.root() / "ABCDEF"
    place.mkdir(parents=True)
    drill = opened.desk.drill.plan.drill
    (place / "room.json").write_text(json.dumps(Deed("ABCDEF", "small-drill", "virtual", drill, False).__dict__))
    (place / "journal.jsonl").write_bytes(opened.journal.path.read_bytes())

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["room", "results", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    document = json.loads(run("--json", "--csv", str(tmp_path / "all.csv")))
    assert document["whole"]["n"] == 1
    assert document["whole"]["skills"]["locate"]["mean"] == 1.0
    assert ",'=cmd|" in (tmp_path / "all.csv").read_text()
    assert json.loads(run("--json", "--since", "2099-01-01"))["sessions"] == []
    assert json.loads(run("--json", "--scenario", "another"))["sessions"] == []
    assert "locate" in run()


def graded(scene: Scene):
    from sandbox.room.events import Graded

    return Graded(score=0.5, document={"score": 0.5, "items": ITEMS})
