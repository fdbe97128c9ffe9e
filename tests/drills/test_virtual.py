"""A drill on the virtual backend from the command line: answered, graded with its twin, repeatable."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from sandbox.base.errors import SandboxError
from sandbox.cli.app import app
from sandbox.drill.play import drills
from sandbox.drill.play.report import Report
from sandbox.drill.play.virtual_desk import VirtualDesk
from sandbox.drill.responders.autopilot import respond
from sandbox.drill.scenario import library
from sandbox.drill.scenario.queries import sql_time
from sandbox.drill.terminal.shell import Shell
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin import story as twin
from sandbox.drill.twin.arm_run import run_arm
from sandbox.telemetry.hash import lake_hash
from sandbox.telemetry.segments import FANOUT

pytestmark = pytest.mark.timeout(300)
METRICS = {
    "clicks", "conversions", "revenue", "satisfied_sessions", "users_lost", "policy_breaches", "p99_ms",
    "exposure_gap",
}  # fmt: skip


def run(*arguments: str) -> dict:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def quieter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gentlest scenario with less traffic: its evidence is one of latency, not of counts."""
    path = tmp_path_factory.mktemp("scenario") / "slow-home.yaml"
    whole = (library.root() / "core" / "slow-home.yaml").read_text()
    assert "rate_per_s: 20" in whole
    path.write_text(whole.replace("rate_per_s: 20", "rate_per_s: 12"))
    return path


@pytest.fixture(scope="module")
def answered(home: Path, quieter: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """It, answered by the scripted responder on the smallest world.

    Its grading runs what it compares here: two processes that load torch anew would take longer, and twice the memory.
    """
    run_dir = tmp_path_factory.mktemp("virtual") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arm_runs, "_in_processes", lambda jobs, workers, told: arm_runs._in_turn(jobs, told))
        graded = run("drill", "start", str(quieter), "--backend", "virtual", "--world", "tiny", "--autopilot",
                     "--run-dir", str(run_dir))  # fmt: skip
    return run_dir, graded


def test_the_responder_finds_it_and_the_twin_grades_it(answered: tuple[Path, dict]) -> None:
    _, graded = answered
    assert graded["score"] >= 0.9
    assert graded["reported_incident"]
    assert graded["baseline_score"] < graded["score"]
    items = {item["item"]: item for item in graded["items"]}
    for name in ("impact", "evidence", "mitigation"):
        assert items[name]["max"] > 0
        assert items[name]["why"]
    assert items["evidence"]["score"] > 0.5 * items["evidence"]["max"]


def test_its_twin_tells_harm_by_metric_minute_and_segment(answered: tuple[Path, dict]) -> None:
    run_dir, _ = answered
    told = run("twin", str(run_dir), "--seeds", "1")
    assert told["arms"] == ["incident", "without_faults", "without_actions", "best_response"]
    for part in ("harm", "avoided", "regret", "pairing"):
        assert set(told[part]) >= METRICS
    assert told["harm"]["p99_ms"]["estimate"] > 5, "40 ms on every call to features"
    assert told["avoided"]["p99_ms"]["estimate"] > 0, "the other path ended it"
    assert told["pairing"]["clicks"] < 0.5, "common random numbers take most of the noise out"
    assert {"minute", "clicks"} <= set(told["per_minute"][0])
    assert any(row["segment"] == "region=EU" for row in told["by_segment"])


def test_whoever_looks_from_outside_finds_it_where_it_ended(answered: tuple[Path, dict]) -> None:
    run_dir, _ = answered
    told = run("drill", "status", "--run-dir", str(run_dir))
    assert told["world_time"].startswith("2026-03-02T")
    assert 0 < told["elapsed_s"] < 6 * 3_600
    assert (told["phase"], told["left_s"]) == ("debrief", 0)
    for command in (["status"], ["act", "restart", "service=model"], ["load", "run"]):
        refused = CliRunner().invoke(app, [*command, "--run-dir", str(run_dir), "--json"])
        assert isinstance(refused.exception, SandboxError)
        assert "a virtual run" in str(refused.exception)


def test_without_a_run_it_is_the_latest_drills(answered: tuple[Path, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir, _ = answered
    monkeypatch.setattr(drills, "latest_run", lambda: run_dir)
    assert run("twin")["run"] == str(run_dir)


def test_what_happened_can_be_repeated_from_the_journal(answered: tuple[Path, dict], tmp_path: Path) -> None:
    run_dir, _ = answered
    story, notices = twin.story_of(drills.of_run(run_dir))
    assert notices == []
    first, again = (run_arm(story.plan, tmp_path / name, telemetry=False) for name in "ab")
    for name in ("ts", "user", "clicks", "latency_ms", "revenue"):
        assert np.array_equal(getattr(first.requests, name), getattr(again.requests, name))
    lake = run("lake", "hash", str(run_dir))
    assert len(lake["tables"]) > 20


def test_the_drill_and_its_incident_arm_are_one_run(home: Path, quieter: Path, tmp_path: Path) -> None:
    scenario = library.load(quieter)
    with VirtualDesk.start(scenario, "tiny", run_dir=tmp_path / "run") as drill:
        report, finding = respond(scenario, drill, drill.began_ts)
        assert finding.convinced
        drill.wait(drill.now() + 600)
        held = drill.run.stack.ledger
        drill.drill.journal.append(drill.now(), "trainee", "report", report=report.model_dump(mode="json"))
        story, _ = twin.story_of(drill.drill)
    arm = run_arm(story.plan, tmp_path / "arm", telemetry=False)
    until = held.requests.ts[-1]
    same = arm.requests.ts <= until
    for name in ("ts", "user", "depth", "clicks", "latency_ms", "revenue"):
        assert np.array_equal(getattr(held.requests, name), getattr(arm.requests, name)[same]), name


def test_however_often_one_looks_the_lake_stays_in_few_pieces(home: Path, tmp_path: Path) -> None:
    scenario = library.named("slow-home")

    def looked(every_s: float) -> tuple[list[str], int]:
        with VirtualDesk.start(scenario, "tiny", run_dir=tmp_path / f"{every_s:g}") as drill:
            while drill.now() < drill.began_ts + 600:
                drill.wait(drill.now() + every_s)
                drill.ask("SELECT count(*) FROM spans")
            store = drill.run.stack.recorder.store
            pieces = max(len(store.segments(table)) for table in ("spans", "requests", "procs"))
            return lake_hash(drill.run.stack.run.lake).tables, pieces

    rows, _ = looked(600)
    rows_again, pieces = looked(15)
    assert rows_again == rows
    assert pieces < 2 * FANOUT


def test_a_drill_that_is_over_takes_nothing_more(home: Path, tmp_path: Path) -> None:
    with VirtualDesk.start(library.named("slow-home"), "tiny", run_dir=tmp_path / "run") as drill:
        drill.wait(drill.began_ts + 300)
        with pytest.raises(SandboxError, match="frontend"):
            drill.act("restart service=frontend")
        drill.drill.journal.append(
            drill.now(), "trainee", "report", report=Report(incident=False).model_dump(mode="json")
        )
        with pytest.raises(SandboxError) as refusal:
            drill.wait(drill.now() + 60)
    assert refusal.value.kind.code == "DRILL-006"


def test_a_speed_and_nobody_to_answer_are_refused(home: Path) -> None:
    for extra in (["--autopilot", "--speed", "10"], ["--no-shell"]):
        result = CliRunner().invoke(app, ["drill", "start", "slow-home", "--backend", "virtual", *extra, "--json"])
        assert result.exit_code != 0


def test_in_its_shell_time_passes_when_told_and_a_slate_can_be_asked_for(
    home: Path, quieter: Path, tmp_path: Path
) -> None:
    scenario = library.named(str(quieter))
    with VirtualDesk.start(scenario, "tiny", run_dir=tmp_path / "run") as drill:
        shell = Shell(drill, Console(file=io.StringIO(), width=160))

        def said(line: str) -> str:
            shell.console.file = io.StringIO()
            shell.answer(line)
            return shell.console.file.getvalue()

        assert "wait [MINUTES]" in said("help")
        assert "08:05:00" in said("wait 5")
        assert "08:16:00" in said("wait 11")
        assert "08:16:00" in said("select $now as t")
        assert "08:00:00" in said("select $began as t")
        said("wait 60")
        assert "banner_copy" in said("changes")  # which no query has made anybody write down yet
        slate = said("recommend --user 3")
        assert "10 rows" in slate
        request = slate.split()[-1]
        assert "gateway Recommend" in said(f"trace {request}")
        assert "WIRE-002" in said("recommend --user 1000000")
        assert "CFG-004" in said("wait long")
        radius = said("act path caller=gateway callee=features path=b --preview")
        assert "blast radius: gateway" in radius
        assert "done" not in radius
        assert "DRILL-007" in said("act path caller=gateway callee=features --path b")
        assert "DRILL-005" in said("act nonsense")
        assert "path" not in said("changes")
        assert "CFG-004" in said("act path caller=gateway callee=features path=b"), "nobody to ask"
        assert "done: change" in said("act path caller=gateway callee=features path=b --yes")
        assert "features.path" in said("changes")


def test_a_drill_whose_process_ended_is_played_again_to_where_it_was(home: Path, quieter: Path, tmp_path: Path) -> None:
    def asked(shell: Shell, line: str) -> str:
        shell.console.file = io.StringIO()
        assert shell.answer(line)
        return shell.console.file.getvalue()

    with VirtualDesk.start(library.named(str(quieter)), "tiny", run_dir=tmp_path / "run") as drill:
        shell = Shell(drill, Console(file=io.StringIO(), width=160))
        asked(shell, "wait 7")
        asked(shell, "select count(*) from requests")
        asked(shell, "recommend 3")
        assert "stopped at the page" in asked(shell, "wait 300")
        asked(shell, "act path caller=gateway callee=features path=b --yes")
        asked(shell, "wait 3.3")
        asked(shell, "alerts")
        before = drill.now() - 60.0
        ((n,),) = drill.ask(f"select count(*) from requests where ts <= {sql_time(before)}").rows
        journal, now, kept = drill.drill.entries(), drill.now(), drill.run.stack.ledger

    with VirtualDesk.resume(drill.drill) as again:
        assert again.now() == now
        assert [(e.world_ts, e.what) for e in again.drill.entries()] == [(e.world_ts, e.what) for e in journal]
        for name in ("ts", "user", "clicks", "latency_ms"):
            assert np.array_equal(getattr(again.run.stack.ledger.requests, name), getattr(kept.requests, name))
        shell = Shell(again, Console(file=io.StringIO(), width=160))
        assert shell.asked[0] == "select count(*) from requests"
        assert "features.path" in asked(shell, "changes")
        assert "PAGE" in asked(shell, "page")
        rows = again.ask(f"select count(*) from requests where ts <= {sql_time(before)}").rows
        assert rows == [[n]], "its lake is there again"
        with pytest.raises(SandboxError) as held:
            VirtualDesk.resume(again.drill)
        assert held.value.kind.code == "DRILL-004", "this process has it"


def test_a_drill_that_does_not_come_out_as_it_was_is_not_taken_up(home: Path, quieter: Path, tmp_path: Path) -> None:
    with VirtualDesk.start(library.named(str(quieter)), "tiny", run_dir=tmp_path / "run") as drill:
        drill.run.advance(drill.began_ts + 4_000)  # as no shell does: it is written down nowhere

    with pytest.raises(SandboxError) as refusal:
        VirtualDesk.resume(drill.drill)

    assert refusal.value.kind.code == "DRILL-006"
    assert "--abandon" in refusal.value.fix
