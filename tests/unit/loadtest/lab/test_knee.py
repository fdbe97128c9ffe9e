"""The search for a knee on a queue of which everything is known, and where there is none to find.

One server that makes 100 a second on the average (M/M/1): 99 % of its users have their answer within
ln(100) / (100 - rate) seconds, which is 150 ms at a rate of 69.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab.knee import Search, Trial, crossing, knee, rising
from loadtest.lab.knee_run import Found, search, told
from loadtest.lab.outcome import Run
from loadtest.lab.plan import Plan
from loadtest.lab.report.of_knee import report
from loadtest.lab.slo import Slo
from sandbox.base.errors import SandboxError
from tests.unit.loadtest.lab.runs import one_server, requests

SLO = Slo.of("p99<150ms")


def searched(measured: Callable[[Plan], Run], **range_: Any) -> Found:
    rates = Search(**{"start": 10.0, "lowest": 1.0, "highest": 500.0, **range_})
    return search(lambda plan, _: measured(plan), SLO, Plan("poisson", rate=10, seconds=120), rates)


def test_the_knee_of_a_known_queue_is_found():
    found = searched(partial(one_server, per_s=100))
    document = told(found, SLO, 1)

    assert found.stopped is None
    assert document["low"] <= 69.3 <= document["high"]
    assert document["rate"] == pytest.approx(69.3, rel=0.15)
    assert document["high"] / document["low"] < 1.6
    assert len(found.trials) <= 14


def test_the_document_has_the_curve_the_points_and_what_was_used_up():
    document = told(searched(partial(one_server, per_s=100)), SLO, 1)

    assert {"alpha", "beta", "gamma", "peak_n", "ci"} <= document["usl"].keys()
    assert document["saturated"]["resource"] is None or "cpu" in document["saturated"]["resource"]
    assert [p["rate"] for p in document["points"]] == sorted(p["rate"] for p in document["points"])
    page = report(document, "a test")
    assert page.count("<svg") == 2
    assert "p99&lt;150ms" in page


def test_an_slo_that_nothing_meets_ends_at_the_lowest_rate():
    document = told(searched(partial(one_server, per_s=10), lowest=5.0), SLO, 1)

    assert document["rate"] is None
    assert "holds nowhere in range" in document["said"]
    assert min(p["rate"] for p in document["points"]) == 5.0
    assert report(document, "")


def test_an_slo_that_everything_meets_ends_at_the_highest_rate():
    document = told(searched(partial(one_server, per_s=10_000), highest=60.0), SLO, 1)

    assert (document["rate"], document["high"]) == (60.0, None)
    assert "no knee in range" in document["said"]


def test_a_target_that_answers_nothing_is_not_asked_for_ever():
    def dead(plan: Plan) -> Run:
        run = one_server(plan, per_s=100)
        return Run(plan, plan.seconds, requests(run.requests.intended_s, 2.0, failed=1.0), run.seen, run.machine)

    found = searched(dead)

    assert found.stopped == "the target answers nothing"
    assert len(found.trials) == 2
    assert told(found, SLO, 1)["rate"] is None


def test_an_interrupted_search_keeps_its_trials():
    trials = 0

    def measured(plan: Plan) -> Run:
        nonlocal trials
        trials += 1
        if trials > 3:
            raise KeyboardInterrupt
        return one_server(plan, per_s=100)

    found = searched(measured)

    assert found.stopped == "interrupted"
    assert len(told(found, SLO, 1)["points"]) == 3
    assert told(Found([], {"resource": None, "evidence": ""}, "interrupted"), SLO, 1)["rate"] is None


def test_requests_that_fail_are_late_however_quickly_they_do():
    quick = requests(np.arange(100) * 0.01, 0.001, failed=0.02)

    assert SLO.value_ms(quick) == math.inf
    assert Slo.of("p97<150ms").value_ms(quick) == pytest.approx(1.0)
    assert SLO.value_ms(quick.only(np.zeros(100, bool))) == math.inf


@pytest.mark.parametrize(
    ("text", "share", "limit_ms"), [("p99<150ms", 0.99, 150), ("p99.9 <= 0.5s", 0.999, 500), ("p50<20ms", 0.5, 20)]
)
def test_an_slo_is_read_as_people_write_it(text, share, limit_ms):
    found = Slo.of(text)

    assert (found.share, found.limit_ms) == (pytest.approx(share), limit_ms)
    assert Slo.of(found.text) == found


@pytest.mark.parametrize(
    "text", ["", "p99", "p99>150ms", "p100<1ms", "p0<1ms", "p99<0ms", "p99<-5ms", "fast", "p99<9999999s"]
)
def test_what_is_no_slo_is_refused(text):
    with pytest.raises(SandboxError, match="CFG-004"):
        Slo.of(text)


@pytest.mark.parametrize(
    "range_", [{"start": 0}, {"start": -1}, {"lowest": 20.0}, {"highest": 5.0}, {"highest": 1e6}, {"repeats": -1}]
)
def test_an_absurd_range_is_refused(range_):
    with pytest.raises(SandboxError, match="CFG-004"):
        Search(**{"start": 10.0, "lowest": 1.0, "highest": 500.0, **range_})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.floats(0, 10)), min_size=1, max_size=30))
def test_a_pooled_curve_never_falls_and_keeps_the_mean(points):
    x, y = (np.array(column, float) for column in zip(*points, strict=True))
    xs, curve = rising(x, y)
    weights = np.array([(x == v).sum() for v in xs])

    assert (np.diff(curve) >= -1e-9).all()
    assert (curve * weights).sum() == pytest.approx(y.sum(), abs=1e-6)
    assert xs[0] <= crossing(x, y, 5.0) <= xs[-1]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 400), st.floats(1, 1000)), min_size=1, max_size=20), st.integers(0, 5)
)  # fmt: skip
def test_whatever_trials_say_the_knee_lies_in_its_interval(points, seed):
    trials = [Trial(rate, ms, ms <= 150, 100, 100, rate, 1.0, 0.0) for rate, ms in points]
    found = knee(trials, SLO, seed)

    if found["rate"] is not None and found["high"] is not None:
        assert found["low"] <= found["rate"] <= found["high"]
