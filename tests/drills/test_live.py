"""A drill from up to down on real processes, on the smallest world."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from faults.catalogue import CATALOGUE
from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.drill.grading.outcome import outcome
from sandbox.drill.play import drills
from sandbox.drill.play.live_desk import LiveDesk
from sandbox.drill.play.report import Report
from sandbox.drill.scenario import library
from sandbox.drill.scenario.taxonomy import MECHANISMS
from sandbox.runtime.stack import Stack
from sandbox.telemetry.sql import SqlWorker
from tests.unit.drill.telltales import found_in

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(420)]

SPEED = 90.0  # above the usual rate, to be done sooner
OPTIONS = {"seed": 5, "world": "tiny", "speed": SPEED, "run_dir": None, "progress": lambda *_: None}


def sandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox.cli.app", *arguments],
        capture_output=True, text=True, check=False, timeout=400, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def children_of_drills() -> list[str]:
    """Command lines of processes that belong to runs of this test's home."""
    home = os.environ.get("SANDBOX_HOME", "")
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if home and home in line and "pytest" not in line:
            found.append(line)
    return found


@pytest.fixture
def own_home(home, tmp_path, monkeypatch):
    """A home of its own for runs and drills, with the worlds that are built already."""
    own = tmp_path / "home"
    own.mkdir()
    (own / "worlds").symlink_to(home / "worlds")
    monkeypatch.setenv("SANDBOX_HOME", str(own))
    return own


def test_the_scripted_responder_finds_the_gentlest_fault_from_up_to_down(own_home):
    name = library.gentlest().id

    done = sandbox(
        "drill", "start", name, "--seed", "5", "--world", "tiny", "--speed", f"{SPEED:g}", "--autopilot", "--json"
    )

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {"run", "score", "reported_incident", "items", "baseline_score", "twin"} <= set(document)
    assert document["reported_incident"], done.stderr
    assert document["score"] > 0.8
    assert document["score"] > document["baseline_score"] + 0.2
    told = json.loads(sandbox("twin", document["run"], "--json").stdout)
    assert told["harm"]["p99_ms"]["estimate"] > 0
    assert {"p50_ms", "ctr"} <= set(told["calibration"]), "how far the virtual arms are from the live run"
    assert children_of_drills() == [], "everything is down"


def test_with_its_fault_left_out_it_reports_no_incident(own_home):
    name = library.gentlest().id

    done = sandbox(
        "drill", "start", name, "--seed", "5", "--world", "tiny", "--speed", f"{SPEED:g}", "--autopilot", "--without-fault", "--no-twin", "--json"
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["reported_incident"] is False
    assert document["score"] >= 0.9


def test_by_hand_it_keeps_its_secret_and_its_stack(own_home):
    """One stack for the rest, as bringing it up is what takes long: no second drill beside the first,
    nothing in the run that names the truth, hints in order, a report that closes it."""
    scenario = library.gentlest()
    desk = LiveDesk.start(scenario, **OPTIONS)
    drill = desk.drill
    stack = Stack(Path(drill.plan.run_dir))
    try:
        with pytest.raises(SandboxError) as twice:
            LiveDesk.start(scenario, **{**OPTIONS, "run_dir": stack.run_dir})
        assert twice.value.kind.code == "DRILL-004"

        assert [desk.hint() for _ in range(3)] == list(scenario.hints)
        with pytest.raises(SandboxError, match="all hints"):
            desk.hint()
        status = desk.status()
        assert status["hints_left"] == 0
        assert status["phase"] == "baseline"

        _wait_for(drill, "armed")
        with pytest.raises(SandboxError, match="before the page"):
            desk.file(Report(incident=False))
        assert _leaks(stack.run_dir) == []
        assert _leaks_in_lake(stack.run_dir) == []
        own = [path.read_bytes() for path in drill.directory.iterdir()]
        told = {text for raw in own for text in found_in(raw, scenario)}
        assert told <= set(scenario.hints), "its own directory, driver.log too; hints were taken"

        _wait_for(drill, "page")
        desk.file(Report(incident=False))
        result = outcome(drill, twin=False)
        assert result["score"] <= 0.05, "what is left is for owning to doubt"
        assert not drills.running_on(stack.run_dir)
        assert drill.phase == "debrief"
        with pytest.raises(SandboxError) as late:
            desk.file(Report(incident=False))
        assert late.value.kind.code == "DRILL-006"
    finally:
        desk.close()
        stack.down()


def _wait_for(drill, what: str) -> None:
    from sandbox.drill.play.journal import first
    from sandbox.runtime.operate.operations import wait_for

    wait_for(lambda: first(drill.entries(), what) is not None, 120, what, drill.directory)


def _leaks(run_dir: Path) -> list[str]:
    """Places in the run, or in process arguments, that use a word of the truth."""
    words = re.compile("|".join([*CATALOGUE, *MECHANISMS, "inject", "fault", "scenario", "sabotage"]).encode(), re.I)
    found = []
    for path in run_dir.rglob("*"):
        if words.search(path.name.encode()):
            found.append(f"name {path.name}")
        if path.is_file() and path.suffix != ".parquet" and (hit := words.search(path.read_bytes())):
            found.append(f"{path.name}: {hit.group().decode()}")
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(run_dir) in line and (hit := words.search(line.encode())):
            found.append(f"process: {hit.group().decode()}")
    return found


def _leaks_in_lake(run_dir: Path) -> list[tuple[str, str, str]]:
    """Texts in any table that use a word of the injector."""
    words = "|".join([*CATALOGUE, "inject", "fault", "scenario", "drill", "sabotage"])
    found = []
    with SqlWorker(run_dir / "lake") as lake:
        for table in TABLES.values():
            for column in (c.name for c in table.columns if c.type == "VARCHAR"):
                rows = lake.query(
                    f"SELECT DISTINCT {column} FROM {table.name} "
                    f"WHERE regexp_matches(lower({column}), '{words}') LIMIT 3"
                ).rows
                found += [(table.name, column, str(row[0])) for row in rows]
    return found
