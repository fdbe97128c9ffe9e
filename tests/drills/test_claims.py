"""What a drill's texts say of its day: each sentence has a query, and none holds where nothing happened.

That the queries hold on the incident's run is for `sandbox scenario prove`: it takes the run.
"""

from __future__ import annotations

import math
import re

import pytest

from sandbox.drill.scenario import library
from sandbox.drill.scenario.predicate import Predicate
from sandbox.drill.scenario.queries import filled, first_row
from sandbox.drill.scenario.scenario import Scenario
from sandbox.telemetry.sql import SqlWorker

PACK = library.load_all()

# Claims nothing in any drill; what else claims nothing stands under the drill's `spoken`.
GREETING = "You are on call for the recommender."


def folded(text: str) -> str:
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    return re.split(r'(?<=[.!?])\s+(?=["A-Z])', folded(text))


def texts(scenario: Scenario) -> dict[str, str]:
    return {
        "title": scenario.title,
        "briefing": scenario.briefing,
        "page": scenario.pager.text,
        "explanation": scenario.explanation,
    }


def unclaimed(scenario: Scenario) -> list[str]:
    """Sentences of its texts of which no claim says a part."""
    said = [folded(claim.says) for claim in scenario.claims]
    return [
        sentence
        for text in texts(scenario).values()
        for sentence in sentences(text)
        if not any(part in sentence for part in said)
    ]


@pytest.fixture(params=sorted(PACK))
def scenario(request) -> Scenario:
    return PACK[request.param]


def test_every_claim_is_about_a_sentence_of_its_drill(scenario):
    whole = [folded(text) for text in texts(scenario).values()]

    assert not [c.says for c in scenario.claims if not any(folded(c.says) in t for t in whole)]


def test_every_sentence_that_states_something_has_a_claim(scenario):
    assert not set(unclaimed(scenario)) - scenario.spoken.all - {GREETING}


def test_a_sentence_that_is_added_without_a_claim_is_found(scenario):
    longer = scenario.model_copy(update={"explanation": scenario.explanation + " Besides, the store was full."})

    assert "Besides, the store was full." in unclaimed(longer)


def test_no_sentence_is_excused_that_is_gone_or_has_a_claim(scenario):
    assert not scenario.spoken.all - set(unclaimed(scenario))


def test_questions_are_questions(scenario):
    assert not [sentence for sentence in scenario.spoken.questions if not sentence.endswith("?")]


def test_what_is_read_with_the_page_is_true_when_it_comes(scenario):
    early = folded(f"{scenario.title} | {scenario.briefing} | {scenario.pager.text}")

    assert not [c.says for c in scenario.claims if folded(c.says) in early and c.by != "page"]


def test_a_page_of_an_alert_claims_that_its_rule_fires(scenario):
    if scenario.pager.kind != "alert":
        return
    claims = [c for c in scenario.claims if folded(c.says) in folded(scenario.pager.text)]

    assert [
        c
        for c in claims
        if "FROM alerts" in c.sql
        and f"rule LIKE '{scenario.pager.rule.replace('*', '%')}'" in c.sql
        and c.predicate == "firing >= 1"
    ]


def test_windows_of_a_healthy_time_end_before_anything_can_happen(scenario):
    """Everything may come later by a draw of the seed, and nothing earlier."""
    first_s = min((step.at_s for step in scenario.timeline if step.fault and not step.anyway), default=math.inf)
    ends = [
        int(minutes) * 60
        for claim in scenario.claims
        for minutes in re.findall(r"\$began \+ INTERVAL (\d+) MINUTE", claim.sql)
    ]

    assert all(end <= first_s for end in ends)


@pytest.fixture(scope="module")
def empty_lake(tmp_path_factory):
    with SqlWorker(tmp_path_factory.mktemp("run") / "lake") as worker:
        yield worker


def test_where_nothing_was_recorded_nothing_is_claimed(scenario, empty_lake):
    times = {"began": 1.77e9, "paged": 1.77e9 + 3_600, "now": 1.77e9 + 7_200}
    held = []
    for claim in scenario.claims:
        answer = empty_lake.query(filled(claim.sql, times))
        predicate = Predicate.parse(claim.predicate)
        assert predicate.names - {"rows"} <= set(answer.columns), claim.says
        if predicate.holds(first_row(answer.columns, answer.rows), len(answer.rows)):
            held.append(claim.says)

    assert not held, "absence is claimed of what was recorded, never of an empty lake"
