"""Panels over HTTP: looked up once for all, counted, refused by name, and who looks at what is told, briefly."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.room.panels.measures import BOARDS
from sandbox.telemetry.sql import SqlWorker
from sandbox.warroom.settings import Settings
from tests.services.waiting import wait_for
from tests.unit.room.panels.toy import USER, write_lake
from tests.unit.warroom.conftest import Site
from tests.unit.warroom.test_api import problem


@pytest.fixture
def answering(site: Site) -> Site:
    """A lake with one request in its list, and a trace of one span under whatever id is asked for."""
    at = datetime(2026, 3, 2, 8)
    line = ["r1", site.scene.desk.clock, 7, "EU", "OK", 20.0, "none", None, None]
    span = ["s", None, "gateway", "gateway-0", "Recommend", "server", None, at, 20.0, 0.1, "OK", 1, None, None]

    def answers(sql: str) -> list[list[Any]]:
        asked = re.search(r"starts_with\(trace_id, '(.*?)'\)", sql)
        if asked:
            return [[asked[1]]]
        return [line] if "FROM requests r" in sql else [span] if sql.startswith("SELECT span_id") else []

    site.scene.desk.answers = answers
    return site


def looked(site: Site) -> list[tuple[str, str, str]]:
    return [(e.who, e.what.panel, e.what.about) for e in site.scene.room.events if e.kind == "looked"]


def test_a_panel_is_looked_up_once_for_all_and_is_nobodys_query(answering: Site):
    site = answering
    ann, bob = site.joined("Ann", "commander"), site.joined("Bob", "observer")

    seen = [who.client.get(f"{who.place}/traces").json() for who in (ann, bob, ann)]
    looks = site.scene.desk.looked
    boss = site.instructor()
    assert boss.client.get(f"{boss.place}/traces").status_code == 200

    assert seen[0] == seen[1] == seen[2]
    assert seen[0]["traces"][0]["trace"] == "r1"
    assert site.scene.desk.looked == looks
    assert site.scene.desk.asked == []
    problem(site.client().get(f"{ann.place}/traces"), 401, "ROOM-004")
    problem(ann.client.get(f"{boss.place}/traces"), 401, "ROOM-004")


def test_what_is_asked_of_a_panel_is_bounded(answering: Site):
    ann = answering.joined("Ann", "commander")
    for wrong in (
        {"minutes": 1e9},
        {"order": "worst"},
        {"page": 20},
        {"page": -1},
        {"service": "x" * 81},
        {"to_ts": "nan"},
    ):
        problem(ann.client.get(f"{ann.place}/traces", params=wrong), 400, "ROOM-006")
    problem(ann.client.get(f"{ann.place}/traces/{'x' * 81}"), 400, "ROOM-006")


def test_who_looks_at_what_is_told_once_for_each_thing_that_they_look_at(answering: Site):
    site = answering
    ann, bob = site.joined("Ann", "commander"), site.joined("Bob", "observer")
    for _ in range(3):
        ann.client.get(f"{ann.place}/traces")
        site.hands[0] += 10
    site.instructor().client.get(f"/instructor/rooms/{site.code}/traces")

    assert looked(site) == [(ann.participant, "traces", "")]
    people = {person["name"]: person["looks_at"] for person in bob.state()["participants"]}
    assert people == {"Ann": "traces", "Bob": ""}


def test_a_thousand_looks_are_a_few_events(answering: Site):
    """Whoever turns the pages fast is told of now and then; the journal stays small."""
    site, settings = answering, Settings()
    ann = site.joined("Ann", "commander")
    answers: list[Any] = []
    for n in range(settings.panels.burst + 5):
        answers.append(ann.client.get(f"{ann.place}/traces/r{n}"))

    assert [answer.status_code for answer in answers] == [200] * settings.panels.burst + [429] * 5
    assert [about for _, _, about in looked(site)] == [f"r{n}" for n in range(settings.looks.burst)]


def test_a_link_to_a_panel_goes_with_a_message(site: Site):
    ann = site.joined("Ann", "commander")
    link = {"kind": "panel", "value": "traces?order=failed"}

    assert ann.do("chat", text="look", links=[link]).status_code == 200
    assert ann.state()["messages"][-1]["links"] == [link]


def test_every_panel_answers_everybody_in_the_room_with_the_same(site: Site, tmp_path: Path):
    paths = (
        "traces", "traces/req-0070?against=usual", "slates", "slates/latest", f"users/{USER}", "items/3", "logs",
        "logs/patterns", "stack", *(f"dashboards/{board}?by=region" for board in BOARDS),
    )  # fmt: skip
    with SqlWorker(write_lake(tmp_path / "lake", end=site.scene.desk.clock)) as worker:
        site.scene.desk.lake = lambda: worker
        ann, bob, boss = site.joined("Ann", "communications"), site.joined("Bob", "observer"), site.instructor()
        for path in paths:
            answers = [who.client.get(f"{who.place}/{path}") for who in (ann, bob, boss)]
            assert [answer.status_code for answer in answers] == [200] * 3, path
            assert answers[0].json() == answers[1].json() == answers[2].json()
            assert len(answers[0].content) < 200_000
        problem(ann.client.get(f"{ann.place}/dashboards/quality?by=nothing"), 400, "ROOM-006")
        problem(ann.client.get(f"{ann.place}/dashboards/truth"), 400, "ROOM-006")
        problem(ann.client.get(f"{ann.place}/users/8"), 404, "WIRE-003")
        problem(ann.client.get(f"{ann.place}/slates/nobody"), 404, "WIRE-003")
        problem(ann.client.get(f"{ann.place}/traces/nobody"), 400, "LAKE-005")
    assert site.scene.desk.asked == []


def test_panels_of_a_drill_that_is_over_show_what_its_lake_keeps(site: Site):
    """The same documents as while it ran, read only; where its telemetry is gone it says so."""
    ann, boss = site.joined("Ann", "commander"), site.instructor()
    lake = Path(site.scene.desk.drill.plan.run_dir) / "lake"
    write_lake(lake, end=site.scene.desk.clock)
    assert ann.do("end").status_code == 200
    wait_for(lambda: site.scene.room.shared.grade is not None, within_s=10)

    seen = [who.client.get(f"{who.place}/{path}") for who in (ann, boss) for path in ("traces", "overview", "logs")]
    asked = ann.do("ask", sql="SELECT count(*) FROM requests").json()["seq"]
    acted = ann.do("act", action="restart service=stream")

    assert [answer.status_code for answer in seen] == [200] * 6
    assert [line["trace"] for line in seen[0].json()["traces"]] == ["req-0130", "req-0070", "req-0010"]
    assert [one["rule"] for one in seen[1].json()["alerts"]] == ["plain"]
    assert [answer.json() for answer in seen[:3]] == [answer.json() for answer in seen[3:]]
    assert site.scene.room.events[asked - 1].what.rows == [[3]]
    problem(acted, 409, "ROOM-003")


def test_a_panel_says_so_where_the_telemetry_of_a_drill_that_is_over_is_gone(answering: Site):
    ann = answering.joined("Ann", "commander")
    assert ann.do("end").status_code == 200

    problem(ann.client.get(f"{ann.place}/traces"), 409, "ROOM-003")
