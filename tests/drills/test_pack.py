"""Every scenario of the pack: fair, gradable, silent about its truth, and its queries run."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from faults.catalogue import CATALOGUE
from sandbox.drill.grading import baseline
from sandbox.drill.grading.grade import grade
from sandbox.drill.play.deeds import ActionTaken, Played
from sandbox.drill.play.report import Report
from sandbox.drill.scenario import library, taxonomy
from sandbox.drill.scenario.patterns import ActionPattern, parse_action
from sandbox.drill.scenario.queries import filled, first_row
from sandbox.drill.scenario.scenario import Scenario
from sandbox.runtime.operate.actions import ACTIONS
from sandbox.telemetry.sql import SqlWorker

PACK = library.load_all()
NAMES = sorted(PACK)


@pytest.fixture(params=NAMES)
def scenario(request) -> Scenario:
    return PACK[request.param]


def played(scenario: Scenario, *actions: str) -> Played:
    """The drill as planned; the actions a quarter of an hour after the page, the report soon after."""
    at_s = scenario.pager.at_s + 900
    deeds = tuple(ActionTaken.of(at_s, *parse_action(text)) for text in actions)
    return Played(0.0, scenario.length_s, scenario.truth.onset_s, scenario.pager.at_s, at_s + 300, deeds)


def gold(scenario: Scenario) -> Report:
    if not scenario.truth.incident:
        return Report(incident=False)
    causes = [
        {"component": c.component, "mechanism": c.mechanism, "segment": c.segment, "started_at": c.onset_s}
        for c in scenario.truth.causes
    ]
    return Report(incident=True, causes=causes, detected_at=scenario.pager.at_s + 300)


def best(scenario: Scenario) -> list[str]:
    return [text for _, text in scenario.best_response]


def test_there_is_one_for_each_fault_and_a_false_alarm():
    used = {s.fault.name for scenario in PACK.values() for s in scenario.timeline if s.fault}

    assert used == set(CATALOGUE)
    assert sum(not s.truth.incident for s in PACK.values()) >= 1
    assert sum(s.kpi_gets_better for s in PACK.values()) >= 2
    assert sum(s.pager.kind == "human" for s in PACK.values()) >= 3
    assert library.gentlest().stars == 1


def test_who_knows_the_truth_and_does_right_gets_nearly_all(scenario):
    marks = grade(scenario, played(scenario, *best(scenario)), gold(scenario))

    assert marks.score >= 0.95


def test_who_does_nothing_gets_nothing_unless_nothing_is_right(scenario):
    marks = grade(scenario, played(scenario), Report(incident=False, confidence=0.8))

    if scenario.truth.incident:
        assert marks.score <= 0.05, "but for the doubt that it states"
    else:
        assert marks.score >= 0.9


def test_a_vandal_fails_whatever_he_writes(scenario):
    havoc = [
        "restart service=redis",
        "restart service=model",
        "promote artifact=ranker version=rk-0",
        "disable-source source=ann",
        "skip-backlog",
    ]
    rubbish = Report.blaming("monitoring", "dead-metric", 0)

    for written in (rubbish, Report(incident=False, confidence=1.0)):
        assert grade(scenario, played(scenario, *havoc), written).score < 0.35
    tidy = grade(scenario, played(scenario, *havoc, *best(scenario)), gold(scenario))
    assert next(i.score for i in tidy.items if i.item == "side_effects") == 0


def test_an_answer_without_looking_stays_well_behind(scenario):
    blind = baseline.blind_answer(scenario, baseline.planned(scenario), PACK.values()).score

    assert 0 <= blind <= 0.6, "the component and the family of the mechanism by luck, and no more"


def test_innocent_changes_stand_around_the_cause(scenario):
    guilty = [s for s in scenario.timeline if s.fault]
    innocent = [s for s in scenario.timeline if not s.fault and (s.change or s.release)]

    assert len(innocent) >= 2
    onset = guilty[0].at_s
    assert any(abs(s.at_s - onset) <= 900 for s in innocent), "one of them is a suspect"


def test_nothing_that_is_shown_gives_the_answer_away(scenario):
    shown = " ".join([scenario.id, scenario.title, scenario.briefing, scenario.pager.text, scenario.teaches]).lower()
    forbidden = {*CATALOGUE, *(c.mechanism for c in scenario.truth.causes)}
    words = {word for name in forbidden for word in (name, name.replace("-", " "))}

    assert not [word for word in words if word in shown]
    notes = " ".join((s.change or s.release).note for s in scenario.timeline if s.change or s.release)
    assert not re.search(r"fault|inject|drill|scenario|broken|skew|overblock", notes.lower())


def test_hints_never_name_the_fault(scenario):
    told = " ".join(scenario.hints).lower()

    assert not [s.fault.name for s in scenario.timeline if s.fault and s.fault.name in told]


def test_accepted_and_penalised_actions_are_actions_there_are(scenario):
    patterns = [ActionPattern.parse(text) for text in (*scenario.helpful, *scenario.penalise)]
    patterns += [ActionPattern.parse(text) for s in scenario.timeline for text in s.ends_on]

    for pattern in patterns:
        if pattern.op == "set":  # an effect of an action, not an action
            continue
        names = {name for name, _ in pattern.arguments} - {"target", "key"}
        assert names <= set(ACTIONS[pattern.op].arguments), str(pattern)


def test_the_first_accepted_action_is_not_penalised(scenario):
    for text in scenario.helpful:
        pattern = ActionPattern.parse(text)
        assert not any(ActionPattern.parse(p).matches(pattern.op, dict(pattern.arguments)) for p in scenario.penalise)


def test_the_words_of_the_truth_are_those_of_the_taxonomy(scenario):
    for cause in scenario.truth.causes:
        assert cause.component in taxonomy.COMPONENTS
        assert cause.mechanism in taxonomy.MECHANISMS
        assert not set(cause.neighbours) - set(taxonomy.COMPONENTS)


@pytest.fixture(scope="module")
def empty_lake(tmp_path_factory):
    with SqlWorker(tmp_path_factory.mktemp("run") / "lake") as worker:
        yield worker


def test_the_gold_queries_run_and_an_empty_lake_convinces_nobody(scenario, empty_lake):
    from sandbox.drill.scenario.queries import verdict

    times = {"began": 1.77e9, "paged": 1.77e9 + 3_600, "now": 1.77e9 + 7_200}
    held = []
    for evidence in scenario.evidence:
        answer = empty_lake.query(filled(evidence.sql, times))
        held.append(verdict(evidence, answer.columns, answer.rows))
        assert first_row(answer.columns, answer.rows), "one row, so that a name misspelled is found"

    assert not all(held)


def test_a_scenario_is_frozen(scenario):
    with pytest.raises(ValidationError):
        scenario.title = "another"
