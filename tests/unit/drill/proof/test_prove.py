"""What makes a scenario true, solvable and fair, and what is said where it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.cli.app import main
from sandbox.drill.proof.prove import Proof, prove
from sandbox.drill.proof.signals import Signal
from sandbox.drill.scenario import library
from sandbox.drill.twin import arms
from sandbox.drill.twin.arms import ArmPlan
from sandbox.virtual.people.ledger import Ledger, LedgerBook
from tests.unit.drill import lakes
from tests.unit.drill.fake_drill import BEGAN, opened
from tests.unit.drill.scenes import scenario

ASKS = [
    {
        "id": "it-lags", "claim": "it lags", "predicate": "lag_s > 300",
        "sql": "SELECT median(session_age_s) AS lag_s FROM requests WHERE ts >= $began",
    },
    {"id": "all-else-is-well", "claim": "no errors", "predicate": "n == 0",
     "sql": "SELECT count(*) FILTER (grpc_status <> 'OK') AS n FROM requests"},
]  # fmt: skip


def run_arm(plan: ArmPlan, run_dir: Path, telemetry: bool) -> Ledger:
    """A run of an answer a minute. Faults: session rows are 900 s old, and one in three clicks is lost, until
    the stream is restarted; under a sensitivity list, rows are fresh. Days differ by a click or two."""
    names = {s.fault.name for s in plan.scenario.timeline if s.fault} if plan.faults else set()
    lagging = "session-stream-lag" in names
    book = LedgerBook(BEGAN)
    minutes = range(int(plan.until_s // 60))
    mended_s = min((at for at, text in plan.actions if text == "restart service=stream"), default=9e9)
    clicks = [3 - (lagging and 1_200 <= 60 * m < mended_s) for m in minutes]
    clicks[0] += plan.seed % 5
    n, times = len(minutes), [BEGAN + 60.0 * m for m in minutes]
    zeros = [0] * n
    book.add_requests(
        ts=times, user=list(minutes), session=list(minutes), depth=[1] * n, region=zeros, segment=zeros,
        latency_ms=[10.0] * n, degraded=zeros, n_items=[10] * n, clicks=clicks, conversions=zeros,
        revenue=zeros, breaches=zeros, shown_b=[5] * n,
    )  # fmt: skip
    lakes.write(
        run_dir / "lake",
        requests=[{"ts": ts, "grpc_status": "OK", "session_age_s": 900.0 if lagging else 20.0} for ts in times],
        metrics=[{"ts": ts, "name": "session_age_s", "label": "all", "value": 900.0 if lagging and ts >= BEGAN + 1_500 else 20.0}
                 for ts in times],
    )  # fmt: skip
    return book.closed()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_HOME", str(tmp_path))
    monkeypatch.setattr(arms, "code_hash", lambda *_: "one code")


def proven(**changes) -> Proof:
    of = scenario(**{"evidence": ASKS, "look_alikes": ["sensitivity-overblock", "memory-leak-gradual"], **changes})
    return prove(of, run=run_arm, opener=opened, workers=1, timeout_s=60)


@pytest.fixture(scope="module")
def proof(tmp_path_factory) -> Proof:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr(arms, "code_hash", lambda *_: "one code")
        return proven()


def test_harm_is_counted_from_the_onset_beside_the_own_day_and_against_the_days(proof):
    """130 minutes of 9,000 s lie after the onset, each a click short; days of 390 clicks."""
    harm, z = proof.harms["clicks"]

    assert proof.averted["restart service=stream"] > 0.95
    assert proof.averted["skip-backlog"] == 0.0
    assert proof.main_metric == "clicks"
    assert harm == 130
    assert z == pytest.approx(130 / 390**0.5, rel=0.01)
    assert proof.harms["policy_breaches"] == (0, 0)


def test_the_first_signal_is_what_a_learner_could_have_seen(proof):
    assert proof.signal == Signal("session_age_s", 300.0)


def test_evidence_is_strong_under_the_incident_and_not_under_its_look_alike(proof):
    lags, well = proof.evidence

    assert lags["query"] == "it-lags"
    assert lags["strength"] == 1.0
    assert lags["holds"]
    assert lags["under"] == {"sensitivity-overblock": 0.0}
    assert lags["holds_under"] == []
    assert well["strength"] == 0.0, "it rules something out, and says so on any day"
    assert well["holds_under"] == ["sensitivity-overblock"]
    assert proof.not_run == {"memory-leak-gradual": "no such fault in the catalogue yet"}


def test_all_responders_play_it_and_gold_once_more_without_the_fault(proof):
    document = proof.document()

    assert set(document["responders"]) == {
        "do-nothing", "random", "constant", "first-alert", "last-change", "vandal", "gamer", "gold",
    }  # fmt: skip
    assert 0 <= document["no_fault"] <= 1
    assert set(document) >= {"harm_z", "first_signal", "evidence", "responders", "no_fault", "ok", "why"}


GOOD = {"gold": 0.95, "do-nothing": 0.05, "vandal": 0.05, "random": 0.2}


def test_what_is_as_it_should_be_is_ok(proof):
    well = replace(proof, responders=GOOD, no_fault=0.97, stopped={}).document()

    assert well["ok"]
    assert "session_age_s after 5 world minutes" in well["why"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"harms": {"clicks": (3.0, 1.1)}}, "does not stand out"),
        ({"responders": {**GOOD, "gold": 0.6}}, "gold scores 0.60"),
        ({"responders": {**GOOD, "random": 0.99}}, "on average"),
        ({"responders": {**GOOD, "vandal": 0.1}}, "vandal beats"),
        ({"no_fault": 0.3}, "no all-clear"),
        ({"averted": {"restart service=stream": 0.1, "skip-backlog": 0.0}}, "averts 10% of the harm"),
        ({"averted": {"restart service=stream": 0.7, "skip-backlog": 0.9}}, "`skip-backlog` averts 90%"),
        ({"claims": [{"says": "all is green", "by": "page", "holds": False, "seen": "n=3"}]}, "not true"),
        ({"contradictions": ["the component is another one"]}, "the component is another one"),
        ({"responders": {**GOOD, "gamer": 0.3, "constant": 0.1}}, "gamer scores 0.30, more than constant"),
        ({"scenario": library.named("friday-deploy")}, "where nothing should be wrong"),
    ],
)
def test_what_is_not_is_said(proof, changes, why):
    found = replace(replace(proof, responders=GOOD, no_fault=0.97, stopped={}), **changes).document()

    assert not found["ok"]
    assert why in found["why"]


def test_a_responder_that_was_stopped_is_told_from_one_that_scored_nothing(proof):
    why = replace(proof, stopped={"gold without the fault": "no report within 120 s: it was stopped"}).faults_found

    assert "gold without the fault has no grade: no report within 120 s: it was stopped" in why


def test_evidence_that_a_look_alike_gives_too_or_that_does_not_hold_is_said(proof):
    fooled = [{**e, "holds_under": ["sensitivity-overblock"]} for e in proof.evidence]
    absent = [{**e, "holds": False, "strength": 0.1} for e in proof.evidence]

    def told(evidence):
        return replace(proof, responders=GOOD, no_fault=1.0, evidence=evidence, stopped={}).document()["why"]

    assert told(fooled) == "all of its evidence holds under sensitivity-overblock too"
    assert "does not show it-lags (lag_s=900), all-else-is-well" in told(absent)
    assert "differs clearly" in told(absent)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["prove", "no-such-drill"], "DRILL-001"), (["check", "missing.yaml"], "CFG-002")]
)
def test_what_is_no_scenario_is_an_error_for_programs(capsys, arguments, code):
    with pytest.raises(SystemExit) as left:
        main(["scenario", *arguments, "--json"])

    said = capsys.readouterr()
    assert (left.value.code, said.out) == (2, "")
    assert json.loads(said.err)["code"] == code


def test_a_scenario_of_the_pack_is_checked(capsys):
    with pytest.raises(SystemExit) as left:
        main(["scenario", "check", "slow-home", "--json"])

    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["ok"]
