"""What of a session is somebody's by name: what the journal says that they did, and no more."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.room.record import persons as of_persons
from sandbox.room.record.persons import WROTE
from sandbox.room.record.results import session, summed
from sandbox.room.record.sheet import people_sheet
from sandbox.room.record.skills import SKILLS
from tests.unit.room.desk import PAGE_S, Scene

DOCS = Path(__file__).resolve().parents[4] / "docs/warroom.md"
MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)
ITEMS = [{"item": item, "score": 0.05, "max": 0.1} for item in (*WROTE, "evidence", "mitigation", "side_effects")]
REPORT = {
    "incident": True, "detected_at": "2026-02-25 06:33", "causes": [{"component": "stream", "mechanism": "stream-lag", "started_at": "2026-02-25 06:31"}],
    "confidence": 0.8,
}  # fmt: skip


@pytest.fixture
def drilled(opened: Scene) -> Scene:
    """Ann leads and writes, Bob asks and acknowledges, Cid acts; Dee is there. The press is answered by Bob, then by Ann."""
    ann, bob, cid, _dee = (
        opened.join(name, role)
        for name, role in (("Ann", "commander"), ("Bob", "data_analyst"), ("Cid", "operations"), ("Dee", "observer"))
    )
    opened.pass_(PAGE_S / 60 + 1)
    opened.do(bob, "acknowledge")
    opened.do(bob, "ask", sql="select 1")
    opened.do(ann, "ask", sql="select 1")
    opened.do("instructor", "inject", sender="press", text="is it true?")
    opened.do(bob, "chat", text="we are on it")
    opened.do(ann, "chat", text="yes")
    opened.do(cid, "act", action="restart service=stream")
    opened.do(bob, "report_field", field="confidence", value=0.8)
    opened.do(bob, "report_field", field="causes", value=[])
    for field in ("causes", "detected_at"):
        opened.do(ann, "report_field", field=field, value=REPORT[field])
    opened.do(ann, "file_report", report=REPORT)
    return opened


def told(scene: Scene, **looked: object):
    grade = {"score": 0.5, "items": ITEMS, **looked}
    return session("A", "room", "s", "virtual", MARCH, ["Ann"], grade, scene.room.events)


STRENGTHS = {"looked": {"evidence": [{"sql": " select 1\n", "value": 0.75}, {"sql": "select 2", "value": 1.0}]}}


def test_each_has_what_the_journal_names_them_for(drilled: Scene):
    found = told(drilled, **STRENGTHS)
    ann, bob, cid, dee = found.persons

    assert ann.roles == ["commander"]
    assert {share.part for share in ann.shares} == {"detection", "onset", "component", "mechanism", "segment"}
    assert [(s.how, s.part, s.share) for s in bob.shares if s.part == "evidence"] == [("asked", "evidence", 0.75)], (
        "he asked first"
    )
    assert {s.how for s in bob.shares} == {"wrote", "asked", "acknowledged", "answered"}
    assert [(s.how, s.part) for s in cid.shares] == [("acted", "mitigation"), ("acted", "side_effects")]
    assert cid.skills["decide"] == pytest.approx(0.5)
    assert (cid.skills["query"], ann.skills["query"]) == (None, None)
    assert dee.shares == []


def test_what_nobody_can_be_named_for_is_the_teams(drilled: Scene):
    assert told(drilled).unattributed == ["impact", "evidence"], "without a twin no query has a strength"
    assert told(drilled, **STRENGTHS).unattributed == ["impact"]


def test_what_several_did_is_nobodys(drilled: Scene):
    acted = next(event for event in drilled.room.events if event.kind == "acted")
    several = [*drilled.room.events, acted.model_copy(update={"who": "p1"})]

    found = session("A", "room", "s", "virtual", MARCH, [], {"score": 0.5, "items": ITEMS}, several)

    assert {"mitigation", "side_effects"} <= set(found.unattributed)


def test_people_are_summed_up_over_their_sessions_and_written_as_rows(drilled: Scene):
    first, second = told(drilled, **STRENGTHS), told(drilled).model_copy(update={"name": "B"})

    found = summed([first, second], None, None, "week")
    rows = list(csv.DictReader(io.StringIO(people_sheet(found))))

    by_name = {group.name: group for group in found.people}
    assert list(by_name) == ["Ann", "Bob", "Cid", "Dee"]
    assert (by_name["Cid"].n, by_name["Cid"].skills["decide"].n, by_name["Bob"].skills["query"].n) == (2, 2, 1)
    assert by_name["Dee"].skills["decide"].mean is None
    assert len(rows) == 8
    assert set(SKILLS) <= set(rows[0])
    assert rows[1]["of which"].startswith("wrote confidence 0.50")


def test_the_docs_have_the_table():
    assert "\n".join(of_persons.table()) in DOCS.read_text()
