"""A responder's own virtual drill: its world goes on when it waits, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.mcp import own
from sandbox.mcp.own import OwnSeat
from sandbox.room import house
from sandbox.room.events import Graded
from sandbox.room.record.results import results
from tests.services.waiting import wait_for
from tests.unit.drill.desk import WORLD_START, begun_drill
from tests.unit.drill.scenes import scenario
from tests.unit.room.desk import GRADE, PAGE_S, Marks, StandIn


@pytest.fixture
def seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnSeat]:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(house, "_begun", lambda *_: StandIn(begun_drill(tmp_path)))
    monkeypatch.setattr(house, "GradedApart", lambda _twin: Marks(GRADE))
    made = OwnSeat(scenario(), "robot", "commander")
    yield made
    made.close()


def test_the_world_stands_still_while_one_thinks_and_goes_on_while_one_waits(seat: OwnSeat):
    seat.give("chat", text="thinking")
    assert seat.state()["room"]["world_ts"] == WORLD_START

    seat.wait(300, to_the_page=False)
    assert 300 <= seat.state()["room"]["world_ts"] - WORLD_START < 330
    assert seat.state()["page"] is None

    seat.wait(36_000, to_the_page=True)
    assert PAGE_S <= seat.state()["room"]["world_ts"] - WORLD_START < PAGE_S + 60
    assert seat.state()["page"]["text"] == "PAGE it is slow"
    assert seat.give("acknowledge")["kind"] == "acknowledged"


def test_a_report_ends_it_and_waiting_brings_the_grade(seat: OwnSeat):
    seat.wait(36_000, to_the_page=True)
    seat.give("file_report", report={"incident": False, "confidence": 0.5})
    seat.wait(1, to_the_page=False)

    assert seat.state()["grade"]["score"] == GRADE["score"]
    assert seat.state()["room"]["phase"] == "debrief"


def test_a_programs_drill_is_no_session_of_a_cohort(seat: OwnSeat):
    seat.wait(36_000, to_the_page=True)
    seat.give("file_report", report={"incident": False, "confidence": 0.5})
    seat.wait(1, to_the_page=False)

    assert house.deed_of(seat.code).program
    assert results().sessions == []


def test_who_leaves_gives_it_up(seat: OwnSeat):
    seat.close()

    deed = house.deed_of(seat.code)
    wait_for(lambda: house.summary(deed)["phase"] in ("over", "debrief"), within_s=5)
    assert not any(isinstance(event.what, Graded) for event in house.journal_of(deed).read())
    assert own.MOST_WAIT_S < 60, "clients give a call a minute"
