"""Where a trainee can look, nothing tells: the drill's own files, lists, what `status` says, names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sandbox.drill.play import drills, standing
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.engine import Engine
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.terminal import listing
from tests.unit.drill.scenes import FakeBackend
from tests.unit.drill.telltales import faults_of, found_in, texts_of, words_of

PACK = library.load_all()
BEGAN = 1_000_000.0


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    (tmp_path / "run").mkdir()
    return tmp_path / "home"


def played(name: str, run_dir: Path) -> Drill:
    """The scenario's whole timeline on a backend that does nothing: the journal is the real one."""
    scenario = PACK[name].placed(3)
    drill = drills.create(scenario, run_dir=run_dir, seed=3, faults=True, autopilot=False, own_stack=True)
    engine = Engine(scenario, FakeBackend(), drill.journal, BEGAN, seed=3)
    engine.begin()
    for at_s in sorted([*(step.at_s for step in scenario.timeline), scenario.pager.at_s]):
        engine.tick(BEGAN + at_s)
    return drill


@pytest.mark.parametrize("name", PACK)
def test_the_files_of_a_drill_that_runs_tell_nothing(name, tmp_path):
    drill = played(name, tmp_path / "run")
    files = [path for path in drill.directory.rglob("*") if path.is_file()]

    assert {path.name for path in files} == {"plan.json", "journal.jsonl", "key"}
    for path in files:
        raw = path.read_bytes()
        assert found_in(raw, PACK[name]) == []
        assert name.encode() not in raw
        assert b"armed" not in raw, "nor when it began"
    assert set(faults_of(PACK[name])) & {e.fields.get("fault") for e in drill.entries()} or (
        not PACK[name].truth.incident
    ), "the drill itself reads what it wrote"


@pytest.mark.parametrize("name", PACK)
def test_and_when_it_is_over_they_can_be_read(name, tmp_path):
    drill = played(name, tmp_path / "run")

    drill.unseal()

    opened = (drill.directory / "opened" / "plan.json").read_bytes()
    told = json.loads(opened)["scenario"]
    assert told["teaches"] == PACK[name].teaches
    assert b"armed" in (drill.directory / "opened" / "journal.jsonl").read_bytes() or (not PACK[name].truth.incident)


@pytest.mark.parametrize("name", PACK)
def test_where_a_drill_stands_tells_nothing(name, tmp_path):
    status = standing.status(played(name, tmp_path / "run"), now=BEGAN + 60)

    assert telling(status, PACK[name]) == []


def test_the_list_tells_nothing():
    rows = listing.rows()

    assert [telling(rows, scenario) for scenario in PACK.values()] == [[] for _ in PACK]
    assert telling(listing.rows(spoilers=True), PACK["slow-home"]), "but for instructors"


def telling(document: object, scenario: Scenario) -> list[str]:
    raw = json.dumps(document, ensure_ascii=False)
    return [text for text in (*texts_of(scenario), *faults_of(scenario)) if text in raw]


@pytest.mark.parametrize("name", PACK)
def test_its_name_and_title_say_no_more_than_the_page(name):
    """A word of them that also describes the cause stands in the briefing or on the page."""
    scenario = PACK[name]
    known = f"{scenario.briefing} {scenario.pager.text}".lower()
    causes = [c.component for c in scenario.truth.causes]
    tells = " ".join([*words_of(scenario), *causes, scenario.teaches, scenario.precedent]).lower()

    words = set(re.findall(r"[a-z]{4,}", f"{scenario.id} {scenario.title}".lower()))

    assert not [w for w in words & set(re.findall(r"[a-z]{4,}", tells)) if w not in known]


@pytest.mark.parametrize("name", PACK)
def test_briefing_and_page_name_neither_the_fault_nor_what_was_wrong(name):
    scenario = PACK[name]
    shown = f"{scenario.title} {scenario.briefing} {scenario.pager.text}".lower()

    assert not [word for word in words_of(scenario) if word in shown]
    assert scenario.teaches.lower() not in shown
