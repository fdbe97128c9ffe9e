"""A canary's verdict has three answers, and only one of them promotes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.pipeline.analysis import Analysis, Plan, Seen, look
from sandbox.pipeline.verdict import Judgement, Metric, Sample, errored, judge

ERRORS = Metric("errors", "count", margin=0.005)
CLICKS = Metric("clicks", "ratio", margin=0.05, worse="down")


def counts(bad: int, of: int = 6) -> Sample:
    return Sample(units=of, y=bad, x=of)


def errors(baseline: int, canary: int, of: int = 6, **how: int) -> Judgement:
    samples = ({"errors": counts(baseline, of)}, {"errors": counts(canary, of)})
    return judge([ERRORS], *samples, users=(of, of), **how)


def clicks(rate: float, users: int, seed: int) -> Sample:
    """Twenty impressions a user, whose own rate varies about `rate`."""
    rng = np.random.default_rng(seed)
    y = rng.binomial(20, rng.beta(10 * rate, 10 * (1 - rate), users)).astype(float)
    x = np.full(users, 20.0)
    return Sample(users, y.sum(), x.sum(), (y * y).sum(), (x * x).sum(), (x * y).sum())


def test_four_errors_against_none_are_not_enough_to_tell() -> None:
    """P33: errors 0, 1, 2, 1, 0, 0 against six zeros. Kayenta passes it."""
    verdict = errors(0, 4)

    (finding,) = verdict.findings
    assert finding.p_worse == pytest.approx(0.0625)
    assert verdict.verdict == "hold"


@pytest.mark.parametrize("looks", [1, 20])
def test_twelve_errors_against_none_take_it_back_at_the_first_look_and_at_any(looks: int) -> None:
    verdict = errors(0, 12, of=600, looks=looks)

    (finding,) = verdict.findings
    assert finding.p_worse == pytest.approx(0.000244, abs=5e-7)
    assert verdict.verdict == "fail"


def test_no_errors_pass_only_where_there_was_traffic_enough_to_meet_some() -> None:
    assert errors(0, 0, of=100).verdict == "hold"
    assert errors(0, 0, of=1000).verdict == "pass"


@pytest.mark.parametrize("users", [(50, 0), (0, 50), (400, 500)])
def test_no_traffic_and_arms_that_are_not_equal_hold(users: tuple[int, int]) -> None:
    """P32: an empty canary has no errors."""
    samples = {"errors": counts(0, 1000)}

    assert judge([ERRORS], samples, samples, users=users).verdict == "hold"


@pytest.mark.parametrize("bad", [None, Sample(0, 0, 0), Sample(5, math.nan, 5), Sample(1, 0, 20)])
def test_a_metric_without_data_holds_whatever_the_others_say(bad: Sample | None) -> None:
    fine = {"errors": counts(0, 1000)}
    broken = fine if bad is None else {**fine, "clicks": bad}

    verdict = judge([ERRORS, CLICKS], broken, broken, users=(1000, 1000))

    assert [f.verdict for f in verdict.findings] == ["pass", "hold"]
    assert verdict.verdict == "hold"


def test_fewer_clicks_by_a_fifth_fail_and_as_many_pass() -> None:
    same, worse, few = clicks(0.2, 4000, 1), clicks(0.16, 4000, 2), clicks(0.2, 40, 3)

    assert judge([CLICKS], {"clicks": same}, {"clicks": clicks(0.2, 4000, 4)}, users=(4000, 4000)).verdict == "pass"
    assert judge([CLICKS], {"clicks": same}, {"clicks": worse}, users=(4000, 4000), looks=20).verdict == "fail"
    assert judge([CLICKS], {"clicks": few}, {"clicks": few}, users=(40, 40)).verdict == "hold"


def test_more_clicks_are_no_harm() -> None:
    better = {"clicks": clicks(0.25, 2000, 2)}

    assert judge([CLICKS], {"clicks": clicks(0.2, 2000, 1)}, better, users=(2000, 2000)).verdict == "pass"


def test_what_is_not_critical_holds_a_canary_and_does_not_take_it_back() -> None:
    soft = replace(CLICKS, critical=False)
    samples = ({"clicks": clicks(0.2, 4000, 1)}, {"clicks": clicks(0.16, 4000, 2)})

    assert judge([soft], *samples, users=(4000, 4000)).verdict == "hold"


def test_users_are_the_units_and_not_impressions() -> None:
    """N13 of the evidence: clicks 1, 0, 2, 3, 0 and 2, 1, 2, 4, 1, impressions 10, 5, 20, 15, 10 in both arms."""
    x = np.array([10.0, 5, 20, 15, 10])
    samples = [
        Sample(5, y.sum(), x.sum(), y @ y, x @ x, x @ y)
        for y in (np.array([1.0, 0, 2, 3, 0]), np.array([2.0, 1, 2, 4, 1]))
    ]

    assert [s.value for s in samples] == pytest.approx([0.1, 1 / 6])
    assert math.sqrt(samples[0].variance + samples[1].variance) == pytest.approx(0.05306937)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(40, 4000), st.integers(1, 30))
def test_more_errors_of_the_canary_never_make_its_verdict_better(b: int, c: int, of: int, looks: int) -> None:
    order = {"fail": 0, "hold": 1, "pass": 2}

    one, more = (order[errors(b, n, of, looks=looks).verdict] for n in (c, min(c + 1, of)))

    assert more <= one


def test_canaries_that_are_no_worse_are_taken_back_rarely_although_looked_at_often() -> None:
    """60 canaries of the same error rate, looked at four times of twenty: at most alpha of them may fail, 3 of 60;
    5 standard errors above is 11."""
    rng = np.random.default_rng(7)
    failed = 0
    for _ in range(60):
        b, c = (np.cumsum(rng.binomial(100, 0.02, 20)) for _ in range(2))
        failed += any(errors(int(b[k]), int(c[k]), 100 * (k + 1), looks=20).verdict == "fail" for k in range(4, 20, 5))

    assert failed <= 11


PLAN = Plan(length_s=600, every_s=60)
BEGAN = Analysis("rk-2", "rk-1", began_ts=0.0)
PASS, HOLD, FAIL = (Judgement(v, "", (9, 9)) for v in ("pass", "hold", "fail"))  # type: ignore[arg-type]


def seen(ts: float, judgement: Judgement, canary: str | None = "rk-2", live: str = "rk-1") -> Seen:
    return Seen(ts, canary, live, judgement)


def test_a_fail_ends_it_at_once_and_a_pass_only_when_its_time_is_over() -> None:
    assert look(BEGAN, seen(60, FAIL), PLAN)[1] == "fail"
    assert look(BEGAN, seen(60, PASS), PLAN)[1] == "go on"
    assert look(BEGAN, seen(600, PASS), PLAN)[1] == "pass"
    assert PLAN.looks == 10


@pytest.mark.parametrize("judgement", [HOLD, errored("no lake")])
def test_a_hold_and_an_error_never_end_in_a_pass(judgement: Judgement) -> None:
    """P31."""
    assert look(BEGAN, seen(600, judgement), PLAN)[1] == "hold"


def test_a_canary_that_nobody_can_watch_is_held_before_its_time() -> None:
    now, steps = BEGAN, []
    for k in range(4):
        now, step = look(now, seen(60.0 * k, errored("no lake")), PLAN)
        steps.append(step)

    assert steps == ["go on", "go on", "go on", "hold"]
    assert look(replace(BEGAN, errors=3), seen(60, PASS), PLAN)[0].errors == 0


@pytest.mark.parametrize("other", [{"canary": "rk-3"}, {"live": "rk-9"}])
def test_another_version_during_the_analysis_begins_it_anew(other: dict[str, str]) -> None:
    """P32: what was counted is about another version, be it the canary or the one it is compared with."""
    after, step = look(BEGAN, seen(590, PASS, **other), PLAN)

    assert (step, after.began_ts, after.looks, after.restarts) == ("restart", 590, 0, 1)
    assert look(after, seen(650, PASS, **other), PLAN)[1] == "go on"
    assert look(after, seen(1190, PASS, **other), PLAN)[1] == "pass"


def test_a_canary_that_was_taken_away_has_no_verdict() -> None:
    assert look(BEGAN, seen(60, PASS, canary=None), PLAN)[1] == "gone"
