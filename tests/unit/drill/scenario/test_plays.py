"""What of a scenario decides its runs: wording does not, and no field is left without a decision."""

from __future__ import annotations

from sandbox.drill.scenario.plays import PLAYS, plays
from sandbox.drill.scenario.scenario import Scenario
from tests.unit.drill.scenes import DOCUMENT, scenario

TOLD = {
    "id", "title", "stars", "world", "seed", "briefing", "pager", "evidence", "evidence_by_s", "probes", "vary_s",
    "claims", "spoken", "accept", "penalise", "hints", "teaches", "precedent", "look_alikes", "kpi_gets_better",
    "explanation",
}  # fmt: skip
*BEFORE, LAG, RELEASE = DOCUMENT["timeline"]


def test_every_field_either_plays_or_is_told():
    """A field that is new here has to be put where it belongs: what plays and is taken for told would hand out the
    runs of another scenario. (World and seed of a run are in its plan; a scenario that plays has been placed.)"""
    assert set(Scenario.model_fields) == TOLD | set(PLAYS)


def test_a_scenario_in_other_words_plays_alike():
    other = scenario(id="other", title="Another", hints=["a", "b", "c"], accept=["skip-backlog"])

    assert plays(other, True) == plays(scenario(), True)


def test_what_happens_decides():
    assert plays(scenario(minutes=3), True) != plays(scenario(), True)
    later = scenario(
        timeline=[*BEFORE, {**LAG, "fault": {"name": "session-stream-lag", "params": {"lag_s": 901}}}, RELEASE]
    )
    assert plays(later, True) != plays(scenario(), True)


def test_without_the_faults_a_day_is_that_of_any_other_fault_in_their_place():
    other = {**LAG, "fault": {"name": "session-stream-lag", "params": {"lag_s": 60}}}

    assert plays(scenario(timeline=[*BEFORE, other, RELEASE]), False) == plays(scenario(), False)


def test_what_happens_anyway_and_what_is_released_stays():
    anyway = scenario(timeline=[*BEFORE, LAG, {**LAG, "at_s": 1500, "anyway": True}, RELEASE])

    whole = plays(anyway, True)["timeline"]
    assert plays(anyway, False)["timeline"] == {n: whole[n] for n in ("1", "3", "4")}
