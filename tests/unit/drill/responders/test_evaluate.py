"""Responders over drills: a bad one costs its own score, never the evaluation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sandbox.base.errors import SandboxError
from sandbox.cli.app import main
from sandbox.drill.responders.evaluate import evaluate, interval, rows_of
from sandbox.drill.responders.trials import Outcome, Trial, play, play_all
from sandbox.drill.twin.arms import seeds_of
from tests.unit.drill import fake_drill
from tests.unit.drill.scenes import scenario

FAKES = "tests.unit.drill.fake_drill"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def trial(responder: str, **changes) -> Trial:
    name = responder if responder.islower() else f"{FAKES}:{responder}"
    return Trial(scenario(), name, 1, **changes)


def outcome_of(responder: str, tmp_path) -> Outcome:
    return play(trial(responder), tmp_path, lambda _: None, fake_drill.opened)


def test_a_report_is_scored_whoever_hands_it_in(tmp_path):
    knows, submits = outcome_of("Knows", tmp_path), outcome_of("Submits", tmp_path)

    assert knows.score == submits.score > 0.5
    assert knows.note == ""


@pytest.mark.parametrize(
    ("responder", "told"),
    [
        ("Raises", "ZeroDivisionError: by a responder"),
        ("Leaves", "SystemExit: I am off"),
        ("Rubbish", "DRILL-003"),
        ("NoReport", "DRILL-003"),
        ("NoSuchClass", "AttributeError"),
    ],
)
def test_what_a_responder_does_wrong_is_its_own_zero(responder, told, tmp_path):
    outcome = outcome_of(responder, tmp_path)

    assert outcome.score == 0
    assert outcome.note.startswith(told)


def test_its_turn_begins_after_the_drill_and_ends_with_the_report(tmp_path):
    heard: list[str] = []

    play(trial("Knows"), tmp_path, heard.append, fake_drill.opened)

    assert heard == ["begun", "filing"]


def test_a_drill_that_cannot_begin_or_be_graded_is_not_the_responders_fault(tmp_path):
    with pytest.raises(SandboxError, match="WORLD-001"):
        play(trial("Knows"), tmp_path, lambda _: None, fake_drill.does_not_open)
    with pytest.raises(RuntimeError, match="grader"):
        play(trial("Knows"), tmp_path, lambda _: None, fake_drill.ungradable)


def test_one_that_hangs_or_dies_goes_with_its_processes_and_the_rest_go_on(home, tmp_path, monkeypatch):
    """Two workers, five responders: the hanging one is stopped with the child that it started."""
    tells = tmp_path / "pids"
    monkeypatch.setenv("HANGS_TELLS", str(tells))
    responders = ["Hangs", "Dies", "Knows", "Raises", "do-nothing"]
    shares: list[float] = []

    outcomes = play_all(
        [trial(r) for r in responders],
        timeout_s=2.0,
        opener=fake_drill.opened,
        progress=lambda _, share: shares.append(share),
    )

    notes = {o.trial.responder.rpartition(":")[2]: o.note for o in outcomes}
    assert notes["Hangs"] == "no report within 2 s: it was stopped"
    assert notes["Dies"] == "its process ended with exit code 7"
    assert notes["Raises"].startswith("ZeroDivisionError")
    assert [o.score > 0.5 for o in outcomes] == [False, False, True, False, False]
    assert shares[-1] == 1.0
    assert not [pid for pid in map(int, tells.read_text().split()) if _runs(pid)]
    assert list((home / "evaluate").iterdir()) == []


@pytest.mark.slow
def test_a_script_without_a_guard_evaluates_as_any_other(tmp_path):
    """Two workers, none of which runs the script again."""
    (tmp_path / "mine.py").write_text(
        "from sandbox.drill.responders.evaluate import evaluate\n"
        "from tests.unit.drill import fake_drill\n"
        "from tests.unit.drill.scenes import scenario\n"
        "print('begins')\n"
        f"rows = evaluate(['{FAKES}:Knows', 'do-nothing'], [scenario()], 2, opener=fake_drill.opened)\n"
        "print([row['score'] > 0.5 for row in rows])\n"
    )

    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[4])},
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "begins\n[True, False]\n"


def test_a_worker_that_dies_while_it_grades_is_an_error_and_no_score():
    with pytest.raises(SandboxError) as died:
        play_all([trial("Knows")], timeout_s=60, opener=fake_drill.dies_grading)

    assert died.value.kind.code == "RUN-008"


def test_a_drill_that_fails_ends_the_evaluation_with_its_error_and_leaves_nothing(home):
    before = {p.pid for p in psutil.Process().children(recursive=True)}

    with pytest.raises(SandboxError) as refused:
        play_all([trial("Knows")], timeout_s=60, opener=fake_drill.does_not_open)

    assert refused.value.kind.code == "WORLD-001"
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert not [p for p in left if "resource_tracker" not in " ".join(p.cmdline())]
    assert list((home / "evaluate").iterdir()) == []


def test_what_a_responder_prints_stays_out_of_the_document(capfd):
    outcomes = play_all([trial("Chatty")], timeout_s=60, opener=fake_drill.opened)

    said = capfd.readouterr()
    assert outcomes[0].score > 0.5
    assert said.out == ""
    assert "thinking aloud" in said.err


def test_rows_hold_the_mean_and_its_interval_by_scenario_and_responder():
    outcomes = [Outcome(trial("do-nothing"), s, n) for s, n in ((0.2, ""), (0.4, "late"), (0.6, ""))]

    (row,) = rows_of(outcomes)

    assert (row["scenario"], row["responder"], row["seeds"]) == ("small-drill", "do-nothing", 3)
    assert row["score"] == 0.4
    assert row["note"] == "late"
    assert row["low"] == 0.0, "4.303 x 0.2 / sqrt(3) = 0.497 to either side, within 0..1"
    assert row["high"] == pytest.approx(0.8968, abs=1e-4)


def test_one_seed_says_nothing_about_the_others():
    assert interval([0.7]) == (0.0, 1.0)
    assert interval([0.7, 0.7]) == (0.7, 0.7)


def test_all_seeds_of_all_scenarios_are_played():
    rows = evaluate(
        [f"{FAKES}:Knows", "do-nothing"], [scenario(), scenario(id="other")], 2, workers=1, opener=fake_drill.opened
    )

    assert [(r["scenario"], r["seeds"]) for r in rows] == [
        ("small-drill", 2),
        ("small-drill", 2),
        ("other", 2),
        ("other", 2),
    ]
    assert len(set(seeds_of(scenario().seed, 2))) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--responder", "nobody"], "CFG-004"),
        (["--responder", ","], "CFG-004"),
        (["--scenarios", "no-such-drill"], "DRILL-001"),
        (["--seeds", "0"], "CFG-001"),
        (["--seeds", "many"], "CFG-004"),
        (["--timeout", "nan"], "CFG-001"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_for_programs(capsys, arguments, code):
    with pytest.raises(SystemExit) as left:
        main(["evaluate", *arguments, "--json"])

    said = capsys.readouterr()
    assert left.value.code == 2
    assert said.out == ""
    assert json.loads(said.err)["code"] == code


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
