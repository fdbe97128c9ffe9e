"""Grading a finished drill: evidence counts as it stood before the repair, and only where it can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sandbox.drill.grading import marking
from sandbox.drill.play import drills
from sandbox.drill.play.notebook import Notebook
from sandbox.drill.play.report import Report
from tests.unit.drill import lakes
from tests.unit.drill.scenes import deed, scenario
from tests.unit.drill.toy_arms import BEGAN, toy_run

MENDED = deed(5_000, "restart service=stream")
SLOW = {
    "claim": "Session rows are older than they were",
    "sql": "SELECT median(session_age_s) AS s FROM requests WHERE ts >= $now - INTERVAL 5 MINUTE",
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path / "home"))


class WithLakes:
    """The toy's runs with their requests on a lake: session rows are old as long as it lags and under no
    other fault, and every restart is on record. lakes: how many were asked for."""

    def __init__(self) -> None:
        self.lakes = 0

    def __call__(self, plan, run_dir, telemetry):
        ledger = toy_run(plan, run_dir, telemetry)
        (run_dir / "lake").mkdir()
        if telemetry:
            self.lakes += 1
            r = ledger.requests
            lags = any(s.fault and s.fault.name == "session-stream-lag" for s in plan.scenario.timeline)
            age_s = r.latency_ms if lags else np.minimum(r.latency_ms, 50.0)
            rows = [{"ts": t, "session_age_s": s} for t, s in zip(r.ts, age_s, strict=True)]
            restarts = [
                {"ts": BEGAN + at_s, "service": text.partition("=")[2], "event": "restarted"}
                for at_s, text in plan.actions
            ]
            lakes.write(run_dir / "lake", requests=rows, process_events=restarts)
        return ledger


def marks_of(tmp_path, *actions, run: WithLakes, **said) -> dict[str, float]:
    """Points by item."""
    return {i["item"]: i["score"] for i in graded(tmp_path, *actions, run=run, **said)["items"]}


def graded(
    tmp_path, *actions, run: WithLakes, incident: bool = True, evidence=SLOW, asked=(), **said
) -> dict[str, Any]:
    """The document of the grade of a report at 6,000 s on the incident that began at 1,200 s. asked: queries."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    drill = drills.create(
        scenario(), run_dir=run_dir, seed=1, faults=True, autopilot=False, own_stack=True, backend="virtual"
    )
    log = drill.journal.append
    log(BEGAN, "engine", "phase", name="baseline")
    log(BEGAN + 1_200, "engine", "armed", id="w1", fault="session-stream-lag", target="stream")
    log(BEGAN + 4_000, "engine", "page", text="PAGE")
    for action in actions:
        log(BEGAN + action.at_s, "trainee", "action", text=action.text, forms=action.forms)
    cause = {"component": "stream", "mechanism": "stream-lag", "started_at": BEGAN + 1_200}
    report = {"incident": incident, "evidence": [evidence], **(cause if incident else {}), **said}
    log(BEGAN + 6_000, "trainee", "report", report=report)
    for sql in asked:
        Notebook(drill.directory).note_look(sql, BEGAN + 5_500)
    return marking.marked(drill, run=run, workers=1)


def test_what_was_mended_before_the_report_is_asked_about_as_it_was(tmp_path):
    assert marks_of(tmp_path, MENDED, run=WithLakes())["evidence"] > 0.06


def test_without_a_repair_it_is_asked_as_of_the_report(tmp_path):
    assert marks_of(tmp_path, run=WithLakes())["evidence"] > 0.06


def test_ones_own_deed_is_no_evidence(tmp_path):
    """On healthy days with the same actions it is seen too."""
    deed_ = {"claim": "it was restarted", "sql": "SELECT count(*) AS n FROM process_events WHERE service = 'stream'"}
    needless = deed(4_500, "restart service=rules")
    other = {**deed_, "sql": "SELECT count(*) AS n FROM process_events WHERE service IN ('rules', 'stream')"}

    assert marks_of(tmp_path, needless, run=WithLakes(), evidence=other)["evidence"] == 0.0


def test_what_was_ruled_out_is_strong_where_it_would_have_looked_otherwise(tmp_path):
    """Under overblocking session rows would be fresh."""
    ruled_out = [{"what": "overblocking", "sql": SLOW["sql"]}, {"what": "stream-lag", "sql": SLOW["sql"]}]

    def of(place: str, *what) -> float:
        (tmp_path / place).mkdir()
        return marks_of(tmp_path / place, run=WithLakes(), ruled_out=list(what))["ruled_out"]

    right, wrong = of("right", ruled_out[0]), of("wrong", ruled_out[1])

    assert right > 0.02
    assert wrong == 0.0, "it was just that"
    assert of("silent", {**ruled_out[0], "sql": "SELECT count(*) AS n FROM requests"}) == 0.0


def test_evidence_for_nothing_is_not_asked_again(tmp_path):
    run = WithLakes()

    assert marks_of(tmp_path, run=run, incident=False)["evidence"] == 0.0
    assert run.lakes == 0


def test_queries_that_nobody_quotes_are_told_with_their_strength_and_weigh_nothing(tmp_path):
    """Each once; one about something else is not asked; one that was quoted stands with the evidence."""
    silent = "SELECT min(session_age_s) AS s FROM requests WHERE ts < $began"
    other = "SELECT count(*) AS n FROM process_events WHERE service = 'rules'"
    strong = SLOW["sql"].replace("median", "max")
    asked = [silent, other, strong, strong, SLOW["sql"]]
    for place in ("asking", "not"):
        (tmp_path / place).mkdir()

    told = graded(tmp_path / "asking", MENDED, run=WithLakes(), asked=asked)

    found = {row["sql"]: row["value"] for row in told["looked"]["asked"]}
    assert list(found) == [silent, other, strong]
    assert found[strong] > 0.9
    assert (found[silent], found[other]) == (0.0, 0.0)
    assert told["looked"]["evidence"][0]["sql"] == SLOW["sql"]
    assert told["items"] == graded(tmp_path / "not", MENDED, run=WithLakes())["items"]


def test_without_evidence_what_was_asked_is_asked_again_on_the_first_days_alone(tmp_path):
    run = WithLakes()
    quoted = {"claim": "x", "sql": "SELECT 1 AS one"}  # bears on nothing

    told = graded(tmp_path, MENDED, run=run, evidence=quoted, asked=[SLOW["sql"]])

    assert told["looked"]["asked"][0]["value"] > 0.9
    assert run.lakes == 5, "the incident, its own day without it, and three others"


@pytest.mark.parametrize("n", [0, 1, marking.MOST_ASKED, marking.MOST_ASKED + 7])
def test_of_many_queries_the_latest_are_asked_again(n):
    report = Report(incident=False)
    queries = [f"select {i}" for i in range(n)]

    found = marking.unquoted([*queries, "", "x" * 5_000], report)

    assert [s.sql for s in found] == queries[-marking.MOST_ASKED :]
