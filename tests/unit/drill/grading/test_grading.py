"""Grading: the truth earns everything, doing nothing earns little, and looking closer never costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.grading.causes import FAMILY, NEIGHBOUR, ONSET_FULL_S, ONSET_ZERO_S, onset_credit
from sandbox.drill.grading.grade import INCIDENT_WEIGHTS, NULL_WEIGHTS, Grade, grade, weights
from sandbox.drill.play.deeds import HINT_PRICE, Played
from sandbox.drill.play.report import NamedCause, Report
from sandbox.drill.scenario import taxonomy
from tests.unit.drill.scenes import DOCUMENT, deed, scenario

BEGAN = 1_000_000.0
PLAYED = Played(BEGAN, 36_000.0, 1_200.0, 2_400.0, 4_000.0, (deed(3_000, "restart service=stream"),))
PERFECT = Report.blaming(
    "stream", "stream-lag", BEGAN + 1_200, {"region": "EU"}, detected_at=BEGAN + 2_500, confidence=1.0
)
NOTHING = Report(incident=False)
MAX = weights(True, {"impact", "evidence", "ruled_out"})


def item(grade: Grade, name: str) -> float:
    return next(i.score for i in grade.items if i.item == name)


def said(report: Report, **fields) -> Report:
    """With other fields, those of its one cause among them."""
    of_cause = {k: v for k, v in fields.items() if k in NamedCause.model_fields}
    causes = (report.causes[0].model_copy(update=of_cause),)
    rest = {k: v for k, v in fields.items() if k not in of_cause}
    return report.model_copy(update={"causes": causes, **rest})


def changed(**fields) -> Grade:
    return grade(scenario(), PLAYED, said(PERFECT, **fields))


def test_the_truth_and_the_right_deed_earn_everything():
    marks = grade(scenario(), PLAYED, PERFECT)

    assert marks.score == pytest.approx(1.0, abs=1e-3)
    assert [i.item for i in marks.items] == list(INCIDENT_WEIGHTS)
    assert "no twin" in next(i.why for i in marks.items if i.item == "impact")


def test_the_weights_of_either_kind_of_drill_sum_to_one():
    assert sum(INCIDENT_WEIGHTS.values()) == pytest.approx(1)
    assert sum(NULL_WEIGHTS.values()) == pytest.approx(1)
    for without in ((), ("impact",), ("impact", "evidence", "ruled_out", "confidence")):
        assert sum(weights(True, without).values()) == pytest.approx(1)
        assert sum(weights(False, without).values()) == pytest.approx(1)


def test_a_missed_incident_earns_nothing_but_for_what_was_done_and_for_having_doubted():
    doubtful = NOTHING.model_copy(update={"confidence": 0.5})
    silent = grade(scenario(), replace(PLAYED, actions=()), doubtful)
    handy = grade(scenario(), PLAYED, doubtful)
    certain = grade(scenario(), PLAYED, NOTHING.model_copy(update={"confidence": 1.0}))

    assert silent.score == pytest.approx(0.75 * MAX["confidence"], abs=1e-3)
    assert handy.score == pytest.approx(silent.score + MAX["mitigation"], abs=1e-3)
    assert certain.score == pytest.approx(MAX["mitigation"], abs=1e-3)


def test_next_door_and_the_right_family_earn_a_part():
    assert item(changed(component="events"), "component") == pytest.approx(MAX["component"] * NEIGHBOUR, abs=1e-4)
    assert item(changed(component="ranker"), "component") == 0
    assert item(changed(mechanism="staleness"), "mechanism") == pytest.approx(MAX["mechanism"] * FAMILY, abs=1e-4)
    assert item(changed(mechanism="index-outdated"), "mechanism") == pytest.approx(MAX["mechanism"] * FAMILY, abs=1e-4)
    assert item(changed(mechanism="slow-edge"), "mechanism") == 0


def test_whom_it_hit_earns_by_overlap():
    assert item(changed(segment={"region": "US"}), "segment") == pytest.approx(MAX["segment"] * 0.25, abs=1e-4)
    assert item(changed(segment={"region": ["EU", "US"]}), "segment") == pytest.approx(MAX["segment"] * 2 / 3, abs=1e-4)
    assert item(changed(segment={}), "segment") == 0


def test_only_a_helpful_deed_while_it_ran_counts():
    def mitigated(*deeds, filed_s: float = 4_000.0) -> float:
        played = replace(PLAYED, actions=deeds, filed_s=filed_s)
        return item(grade(scenario(), played, PERFECT), "mitigation")

    assert mitigated() == 0
    assert mitigated(deed(1_100, "restart service=stream")) == 0, "before it began"
    assert mitigated(deed(4_100, "restart service=stream")) == 0, "after the report"
    assert mitigated(deed(3_000, "restart service=gateway")) == 0
    late = mitigated(deed(30_000, "restart service=stream"), filed_s=31_000)
    assert 0.5 * MAX["mitigation"] <= late < MAX["mitigation"]


def test_an_action_counts_by_what_it_came_to():
    by_effect = scenario(accept=["restart service=stream", "set service=model field=ranker value=rk-1"])
    reverted = deed(3_000, "revert change=4", ("set service=model field=ranker value=rk-1",))

    marks = grade(by_effect, replace(PLAYED, actions=(reverted,)), PERFECT)

    assert item(marks, "mitigation") == pytest.approx(MAX["mitigation"], abs=1e-4)
    assert item(marks, "side_effects") == pytest.approx(MAX["side_effects"], abs=1e-4)


def test_needless_and_harmful_deeds_cost_and_harm_costs_more():
    def shares(*texts: str) -> tuple[float, float]:
        deeds = tuple(deed(3_000, text) for text in ("restart service=stream", *texts))
        marks = grade(scenario(), replace(PLAYED, actions=deeds), PERFECT)
        return tuple(pytest.approx(item(marks, name) / MAX[name], abs=1e-3) for name in ("side_effects", "mitigation"))

    assert shares() == (1, 1)
    assert shares("restart service=gateway") == (0.75, 0.75), "a shot in the dark hits by chance"
    assert shares("restart service=redis") == (0.5, 0.5)
    assert shares("restart service=redis", "promote artifact=ranker version=rk-2") == (0, 0)


def test_on_a_null_drill_leaving_things_alone_is_right():
    null = scenario(
        timeline=[{"at_s": 600, "target": "gateway", "change": {"key": "banner", "new": "autumn"}}],
        truth={"incident": False, "component": "none", "mechanism": "coincident-change"},
        accept=[],
    )
    calm = replace(PLAYED, onset_s=None, actions=())
    right = Report(incident=False, confidence=1.0)

    assert grade(null, calm, right).score == 1.0
    assert grade(null, calm, Report(incident=False)).score == 1.0, "as the template says"
    assert grade(null, calm, PERFECT).score == 0.0
    rash = replace(calm, actions=(deed(3_000, "restart service=redis"),))
    assert grade(null, rash, right).score == pytest.approx(1 - (0.50 + 0.45) / 2), (
        "who acts on a false alarm has not seen that it is one"
    )


def test_a_drill_whose_fault_was_left_out_has_nothing_to_find():
    healthy = replace(PLAYED, onset_s=None, actions=())

    sure = NOTHING.model_copy(update={"confidence": 1.0})

    assert grade(scenario(), healthy, sure).score == 1.0
    assert grade(scenario(), healthy, PERFECT).score == 0.0


def test_being_said_to_have_seen_it_before_it_began_does_not_help():
    early = changed(started_at=BEGAN + 100, detected_at=BEGAN + 200)

    assert item(early, "detection") == pytest.approx(0.6 * MAX["detection"], abs=1e-4)


@given(st.floats(0, 1), st.floats(0, 1))
def test_saying_how_likely_one_is_right_pays_best(chance, said):
    def expected(confidence: float) -> float:
        right = item(changed(confidence=confidence), "confidence")
        wrong = item(grade(scenario(), PLAYED, NOTHING.model_copy(update={"confidence": confidence})), "confidence")
        return chance * right + (1 - chance) * wrong

    assert expected(chance) >= expected(said) - 2e-4


@given(st.floats(0, 3_000), st.floats(0, 3_000))
def test_a_better_time_never_earns_less(a, b):
    near, far = sorted((a, b))

    assert 0 <= onset_credit(far) <= onset_credit(near) <= 1


def test_a_time_within_a_few_readings_earns_all_and_one_that_is_right_on_average_little():
    """Of onsets anywhere within three quarters of an hour the middle is named each time."""
    assert onset_credit(ONSET_FULL_S) == 1.0
    assert onset_credit(ONSET_ZERO_S) == 0.0
    errors = [abs(60.0 * minute - 1_350.0) for minute in range(46)]

    assert sum(map(onset_credit, errors)) / len(errors) < 0.5


TWO = {
    "timeline": [
        {"at_s": 1200, "target": "stream", "fault": {"name": "session-stream-lag", "params": {"lag_s": 900}}},
        {"at_s": 3000, "target": "gateway->features", "fault": {"name": "rpc-edge-latency"}},
    ],
    "truth": {"incident": True, "causes": [
        {"component": "stream", "mechanism": "stream-lag", "onset_s": 1200, "accept": ["restart service=stream"]},
        {"component": "gateway->features", "mechanism": "slow-edge", "onset_s": 3000,
         "accept": ["path caller=gateway callee=features path=b"]},
    ]},
    "accept": [],
}  # fmt: skip
LAG = NamedCause(component="stream", mechanism="stream-lag", started_at=BEGAN + 1_200)
EDGE = NamedCause(component="gateway->features", mechanism="slow-edge", started_at=BEGAN + 3_000)
ELSEWHERE = NamedCause(component="ranker", mechanism="bad-model-promoted", started_at=BEGAN + 500)


def test_several_causes_earn_each_their_part_in_any_order():
    two = scenario(**TWO)
    acted = replace(
        PLAYED,
        actions=(deed(3_200, "restart service=stream"), deed(3_300, "path caller=gateway callee=features path=b")),
    )

    def of(*causes: NamedCause, name: str = "component") -> float:
        report = Report(incident=True, causes=causes, detected_at=BEGAN + 3_100)
        marks = grade(two, acted, report)
        found = next(i for i in marks.items if i.item == name)
        return found.score / found.max

    assert of(LAG, EDGE) == of(EDGE, LAG) == 1.0
    assert of(LAG) == of(EDGE) == pytest.approx(0.5, abs=1e-3)
    assert of(LAG, EDGE, ELSEWHERE) == pytest.approx(2 / 3, abs=1e-3)
    assert of(LAG, EDGE, name="mitigation") == pytest.approx(1.0, abs=1e-3)


def test_of_two_causes_one_repaired_is_half():
    two = scenario(**TWO)
    one = replace(PLAYED, actions=(deed(3_200, "restart service=stream"),))

    marks = grade(two, one, Report(incident=True, causes=(LAG, EDGE)))

    found = next(i for i in marks.items if i.item == "mitigation")
    assert found.score / found.max == pytest.approx(0.5, abs=1e-3)
    assert "path caller=gateway callee=features path=b" in found.why


def test_naming_everything_earns_less_than_naming_one():
    every = [
        NamedCause(component=c, mechanism="stream-lag", started_at=BEGAN + 1_200, segment={"region": "EU"})
        for c in ("stream", "ranker", "rules", "gateway", "index", "store")
    ]

    assert grade(scenario(), PLAYED, Report(incident=True, causes=every)).score < changed().score - 0.2


def test_a_hint_has_its_price():
    helped = grade(scenario(), replace(PLAYED, hints=2), PERFECT)

    assert helped.score == pytest.approx(changed().score - 2 * HINT_PRICE)
    assert helped.items[-1].why == "2 taken, 3% each"


def test_a_share_of_the_users_is_named_by_their_buckets():
    hit = scenario(truth={**DOCUMENT["truth"], "segment": {"user_bucket": "0-24"}})

    def of(value: str) -> float:
        marks = grade(hit, PLAYED, said(PERFECT, segment={"user_bucket": value}))
        return item(marks, "segment") / MAX["segment"]

    assert of("0-24") == pytest.approx(1.0, abs=1e-3)
    assert of("0-49") == pytest.approx(2 / 3, abs=1e-3)
    assert of("50-74") == pytest.approx(0.25, abs=1e-3)


reports = st.builds(
    lambda component, mechanism, start, segment: Report.blaming(component, mechanism, BEGAN + start, segment),
    st.sampled_from([c for c in taxonomy.COMPONENTS if c != "none"]),
    st.sampled_from([m for m in taxonomy.MECHANISMS if taxonomy.family_of(m) != "benign"]),
    st.floats(0, 4_000),
    st.dictionaries(
        st.sampled_from(sorted(set(taxonomy.SEGMENT_COLUMNS) - {"user_bucket"})), st.sampled_from(["EU", "US"])
    ),
)
deeds = st.lists(
    st.sampled_from(["restart service=gateway", "restart service=redis", "promote artifact=ranker version=x"]),
    max_size=4,
).map(lambda texts: tuple(deed(3_000, text) for text in texts))


@given(reports, deeds)
def test_correcting_any_one_field_never_costs(report, actions):
    played = replace(PLAYED, actions=actions)
    before = grade(scenario(), played, report).score
    assert 0 <= before <= 1

    for name in ("component", "mechanism", "segment", "started_at"):
        better = said(report, **{name: getattr(PERFECT.causes[0], name)})
        assert grade(scenario(), played, better).score >= before - 1e-9


@given(reports, deeds, st.sampled_from(["restart service=redis", "restart service=rules"]))
def test_one_more_needless_deed_never_pays(report, actions, another):
    played = replace(PLAYED, actions=actions)
    more = replace(PLAYED, actions=(*actions, deed(3_500, another)))

    assert grade(scenario(), more, report).score <= grade(scenario(), played, report).score


@given(reports, deeds)
def test_the_same_answer_is_worth_the_same_every_time(report, actions):
    played = replace(PLAYED, actions=actions)

    assert grade(scenario(), played, report) == grade(scenario(), played, report)
