"""Sizing the harm: honest numbers and honest intervals pay best, and leaving the clear harms out costs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sandbox.base.errors import SandboxError
from sandbox.drill.grading.grade import Looked, grade, weights
from sandbox.drill.grading.impact import claim_share, impact_share, scaled, sizable, winkler
from sandbox.drill.play import report as reports
from sandbox.drill.play.report import Claim
from sandbox.drill.scenario.harms import METRICS
from tests.unit.drill.grading.test_grading import PERFECT, PLAYED
from tests.unit.drill.scenes import scenario
from tests.unit.drill.toy_twin import twin_of

TWIN = twin_of()
sizes = st.floats(-1e6, 1e6)


def claim(estimate: float, low: float | None = None, high: float | None = None) -> Claim:
    return Claim(estimate=estimate, low=estimate if low is None else low, high=estimate if high is None else high)


@given(sizes, sizes, sizes, st.floats(1e-3, 1e3))
def test_who_is_nearer_never_earns_less(truth, one, other, noise):
    near, far = sorted((one, other), key=lambda x: abs(scaled(x, noise) - scaled(truth, noise)))

    assert 0 <= claim_share(claim(far), truth, noise) <= claim_share(claim(near), truth, noise) <= 1


def test_twice_too_much_costs_as_much_as_half():
    double, half = (claim_share(claim(x), 1_000.0, 1.0) for x in (2_000.0, 500.0))

    assert double == pytest.approx(half, abs=1e-5)
    assert claim_share(claim(1_000.0), 1_000.0, 1.0) == 1.0
    assert claim_share(claim(20_000.0), 1_000.0, 1.0) == 0.0


def test_within_the_noise_nothing_is_as_good_as_a_little():
    assert claim_share(claim(0.0), 2.0, 50.0) > 0.9
    assert claim_share(claim(-3.0), 2.0, 50.0) > 0.9


@given(st.floats(-3, 3), st.floats(0, 3), st.floats(0.05, 4))
def test_giving_ones_own_quantiles_is_best_on_average(shift, wider, spread):
    u = (np.arange(4_000) + 0.5) / 4_000
    outcomes = spread * np.log(u / (1 - u))  # logistic
    low, high = np.quantile(outcomes, (0.1, 0.9))

    def expected(low: float, high: float) -> float:
        return float(np.mean([winkler(low, high, float(x)) for x in outcomes[::20]]))

    assume(high + shift + wider >= low + shift - wider)
    honest = expected(low, high)
    assert honest <= expected(low + shift - wider, high + shift + wider) + 0.02 * spread
    assert honest <= expected(low + shift, high) + 0.02 * spread or low + shift > high


def test_an_interval_that_holds_beats_a_number_that_misses():
    number = claim_share(claim(1_500.0), 1_000.0, 1.0)
    interval = claim_share(claim(1_500.0, 800.0, 2_000.0), 1_000.0, 1.0)
    evasive = claim_share(claim(1_500.0, 0.0, 1e9), 1_000.0, 1.0)

    assert interval > number
    assert interval > evasive


def test_the_clear_harms_have_to_be_named():
    truth = {m: claim(e.estimate) for m, e in TWIN.so_far.items() if m in METRICS and e.clear}
    assert len(truth) >= 3

    def share(*names: str) -> float:
        return impact_share({n: truth[n] for n in names}, TWIN)[0]

    first, second, *_ = truth
    assert share(first, second) == pytest.approx(1.0, abs=1e-6)
    assert share(first) == pytest.approx(0.5, abs=1e-6)
    assert share() == 0.0
    assert "no harm was sized; clear were" in impact_share({}, TWIN)[1]
    assert "clear and not named" in impact_share({first: truth[first]}, TWIN)[1]


def test_where_nothing_stands_out_there_is_nothing_to_size():
    calm = twin_of(faults=False)
    marks = grade(scenario(), PLAYED, PERFECT, calm, Looked())

    assert sizable(calm) == []
    assert next(i.max for i in marks.items if i.item == "impact") == 0.0


def test_a_number_for_what_does_not_stand_out_earns_nothing():
    dull = next(m for m in METRICS if m not in sizable(TWIN))
    clear = sizable(TWIN)[0]
    alone = {clear: claim(TWIN.so_far[clear].estimate)}

    share, why = impact_share({**alone, dull: claim(0.0)}, TWIN)

    assert share == pytest.approx(impact_share(alone, TWIN)[0] / 2)
    assert "nothing that stands out" in why


def test_a_gain_is_sized_with_its_sign():
    """What a filter saves beside what it costs."""
    saved = replace(TWIN.so_far["clicks"], estimate=-200.0, low=-240.0, high=-160.0, se=20.0)
    twin = replace(TWIN, so_far={**TWIN.so_far, "policy_breaches": saved})

    assert "policy_breaches" in sizable(twin)
    right, wrong = (
        impact_share({"policy_breaches": claim(x), "clicks": claim(TWIN.so_far["clicks"].estimate)}, twin)[0]
        for x in (-200.0, 200.0)
    )
    assert right == pytest.approx(1.0, abs=1e-6)
    assert wrong == pytest.approx(0.5, abs=1e-6)


def test_how_many_users_may_be_sized_too():
    exact = impact_share({"affected_users": claim(TWIN.affected), "clicks": claim(0.0)}, TWIN)
    wrong = impact_share({"affected_users": claim(9e6), "clicks": claim(0.0)}, TWIN)

    assert exact[0] > wrong[0]


def test_the_grader_gives_it_its_weight():
    truth = {m: claim(TWIN.so_far[m].estimate) for m in ("clicks", "p99_ms")}
    sized = PERFECT.model_copy(update={"impact": truth})

    def item(report: reports.Report) -> float:
        marks = grade(scenario(), PLAYED, report, TWIN, Looked())
        return next(i.score for i in marks.items if i.item == "impact")

    alone = weights(True, {"ruled_out"})["impact"]
    assert item(sized) == pytest.approx(alone, abs=1e-3)
    assert item(PERFECT) == 0.0


GOOD = {"incident": False, "impact": {"clicks": 3}}


def test_a_number_alone_is_an_interval_without_width():
    impact = reports.checked({**GOOD, "impact": {"clicks": 3, "p99_ms": {"estimate": 5, "high": 9}}}).impact

    assert impact["clicks"] == claim(3.0)
    assert impact["p99_ms"] == claim(5.0, 5.0, 9.0)


@pytest.mark.parametrize(
    "impact",
    [
        {"happiness": 3}, {"clicks": "many"}, {"clicks": float("nan")}, {"clicks": True}, {"clicks": {}},
        {"clicks": {"estimate": 3, "low": 4}}, {"clicks": {"estimate": 3, "sure": 1}}, [3], {"clicks": 1e300},
    ],
)  # fmt: skip
def test_a_size_that_is_none_is_refused_by_name(impact):
    with pytest.raises(SandboxError) as caught:
        reports.checked({**GOOD, "impact": impact})

    assert caught.value.where.startswith("report, impact")


def test_a_harm_that_nobody_could_measure_is_left_out():
    silent = replace(TWIN, so_far={**TWIN.so_far, "p99_ms": replace(
        TWIN.so_far["p99_ms"], estimate=math.nan, low=math.nan, high=math.nan)})  # fmt: skip

    share, why = impact_share({"p99_ms": claim(5.0), "clicks": claim(0.0)}, silent)

    assert math.isfinite(share)
    assert "p99_ms 5, it was nothing that stands out" in why
