"""What was done is judged by what it saved and what it broke, on the toy of toy_arms."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.drill.grading.conduct import mitigation, side_effects
from sandbox.drill.grading.evidence import Strength
from sandbox.drill.grading.grade import Looked, grade
from sandbox.drill.play.report import Claim, Report
from tests.unit.drill.grading.test_grading import PERFECT, deeds, reports
from tests.unit.drill.scenes import deed, scenario
from tests.unit.drill.toy_twin import played_of, twin_of

RIGHT = deed(5_000, "restart service=stream")
WRONG = deed(5_000, "restart service=redis")
NEEDLESS = deed(5_000, "restart service=gateway")


def judged(*actions) -> tuple[float, float]:
    """Shares of mitigation and side effects."""
    twin, played = twin_of(*actions), played_of(*actions)
    return (mitigation(scenario(), played, twin)[0], side_effects(scenario(), played, twin, True)[0])


def test_the_right_deed_in_time_saves_all_that_could_be_saved():
    assert judged(RIGHT) == (pytest.approx(1.0), 1.0)


def test_doing_nothing_saves_nothing_and_breaks_nothing():
    assert judged() == (0.0, 1.0)


def test_saving_half_is_worth_half():
    # The evidence is there from 9,000 s, the horizon lies half an hour behind it: at 9,900 s half is over.
    share, _ = judged(deed(9_900, "restart service=stream"))

    assert share == pytest.approx(0.5, abs=0.12)


def test_a_look_is_no_shot_in_the_dark_unless_the_scenario_forbids_it():
    look = deed(4_500, "load-test rate=30 minutes=5")

    assert judged(look, RIGHT) == (pytest.approx(1.0), 1.0)
    forbidden = replace_penalised("load-test rate=[3-9]?")
    played = played_of(look, RIGHT)
    assert mitigation(forbidden, played, twin_of(look, RIGHT))[0] == pytest.approx(0.5)


def replace_penalised(pattern: str):
    return scenario().model_copy(update={"penalise": (pattern,)})


def test_what_chance_took_from_a_repair_is_not_missed():
    twin = twin_of(RIGHT)
    noisy = {m: replace(could, estimate=could.estimate - 0.9 * could.se) for m, could in twin.reachable.items()}

    share, _ = mitigation(scenario(), played_of(RIGHT), replace(twin, saved=noisy))

    assert share == pytest.approx(1.0)


def test_breaking_more_costs_by_how_much_it_broke():
    _, harmless = judged(NEEDLESS)
    _, harmful = judged(WRONG)

    assert harmless == pytest.approx(1 - 0.4 * 0.25)
    assert harmful < 1 - 0.4 * 0.5 - 0.02
    why = side_effects(scenario(), played_of(WRONG), twin_of(WRONG), True)[1]
    assert "clicks (clicks) by themselves" in why


def test_what_the_right_deed_saved_does_not_pay_for_what_a_wrong_one_broke():
    both, alone = judged(RIGHT, WRONG), judged(WRONG)

    assert both[1] <= alone[1], "clicks that were well again are more to lose"
    assert judged(RIGHT)[0] > both[0]


def test_a_shot_in_the_dark_that_hits_is_no_marksmanship():
    shots = [deed(5_000, f"restart service={s}") for s in ("model", "rules", "ranking", "gateway")]

    assert judged(RIGHT, *shots)[0] == 0.0


def test_on_a_day_without_a_fault_breaking_things_is_all_the_harm():
    twin, played = twin_of(WRONG, faults=False), played_of(WRONG, faults=False)

    assert side_effects(scenario(), played, twin, False)[0] < 0.5
    assert side_effects(scenario(), played_of(faults=False), twin_of(faults=False), False)[0] == 1.0


def test_where_no_harm_stands_out_the_state_is_judged_and_that_is_said():
    calm = twin_of(faults=False)  # nothing to save in it

    share, why = mitigation(scenario(), played_of(RIGHT), calm)

    assert share == 1.0
    assert "no harm stood out" in why


TWINS = {actions: twin_of(*actions) for actions in ((), (RIGHT,), (WRONG,), (RIGHT, WRONG))}
strengths = st.lists(st.floats(0, 1).map(lambda v: Strength("x", v, "c", "y")), max_size=4)
looked = st.builds(Looked, strengths, st.none() | strengths)
impacts = st.dictionaries(
    st.sampled_from(["clicks", "p99_ms", "revenue", "affected_users"]),
    st.floats(-1e9, 1e9).map(lambda x: Claim(estimate=x, low=x, high=x)),
)


@given(
    st.one_of(reports, st.just(Report(incident=False))), impacts, st.floats(0, 1),
    st.none() | looked, st.none() | st.sampled_from(list(TWINS)), deeds,
)  # fmt: skip
def test_whatever_is_reported_and_done_earns_between_nothing_and_all(report, impact, confidence, found, arms, actions):
    said = report.model_copy(update={"impact": impact, "confidence": confidence})
    twin = TWINS[arms] if arms is not None else None

    marks = grade(scenario(), played_of(*actions), said, twin, found)

    assert 0.0 <= marks.score <= 1.0
    assert sum(i.max for i in marks.items) == pytest.approx(1.0, abs=1e-3)
    assert all(0.0 <= i.score <= i.max + 1e-9 for i in marks.items)
    assert all(i.why for i in marks.items)


def test_who_knows_everything_gets_everything():
    twin = TWINS[(RIGHT,)]
    sized = {m: Claim(estimate=e, low=e, high=e) for m in ("clicks", "p99_ms") for e in [twin.so_far[m].estimate]}
    report = PERFECT.model_copy(update={"impact": sized})

    sure = [Strength("x", 1.0, "c", "y")]
    marks = grade(scenario(), played_of(RIGHT), report, twin, Looked(sure, sure))

    assert marks.score == pytest.approx(1.0, abs=0.01)
