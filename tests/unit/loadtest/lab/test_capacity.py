"""A capacity plan by numbers that can be checked by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.lab import costs, saved
from loadtest.lab.capacity import PRESETS, Cost, Terms, capacity, target
from loadtest.lab.telemetry import Seen
from loadtest.lab.usl import Law
from sandbox.base.errors import SandboxError
from sandbox.cli.app import main
from tests.unit.loadtest.lab.runs import a_run


def a_cost(noise: float = 0.0) -> Cost:
    """10 requests a second for a minute: 10 ms of the gateway, 20 of the model, 1 of Redis for each."""
    wave = 1 + noise * np.sin(np.arange(60))
    return Cost(
        np.full(60, 10.0),
        {"gateway": 0.1 * wave, "model": 0.2 * wave, "redis": 0.01 * wave},
        {"gateway": 100.0, "model": 300.0, "redis": 10.0},
        2_000_000, 1_000, "a test",
    )  # fmt: skip


PLAIN = Terms(busy=0.5, spare=0.0, core_hour=1.0, gb_hour=0.0)


def test_replicas_cores_memory_and_money_follow_from_the_cost_of_a_request():
    """1,000 a second x 10 ms = 10 cores of gateway, 20 at half use; twice as many of the model; 2 of Redis."""
    plan = capacity(replace(target("1000/s"), users=1_000_000), a_cost(), PLAIN)

    assert plan["replicas"] == {"gateway": 20, "model": 40, "redis": 2}
    assert plan["cores"] == 62
    assert plan["redis_bytes"] == 2_000_000_000
    assert plan["memory_bytes"] == (20 * 100 + 40 * 300) * 2**20 + 2_000_000_000
    assert plan["cost_per_million"] == pytest.approx(62 / 3.6)
    assert plan["cpu_ms_per_request"] == pytest.approx(31.0)


def test_the_plan_says_what_it_assumes_and_how_sure_its_cost_is():
    plan = capacity(target("50M/h"), a_cost(noise=0.3), Terms())

    assert plan["rate_per_s"] == pytest.approx(13_889, abs=1)
    assert plan["low"] < plan["cost_per_million"] < plan["high"]
    assert plan["cores_low"] <= plan["cores"] <= plan["cores_high"]
    assert any("60% of it" in said for said in plan["assumptions"])
    assert any("a test" in said for said in plan["assumptions"])


def test_sizes_that_contend_take_more_and_beyond_their_peak_are_parted():
    alone = capacity(target("1000/s"), a_cost(), PLAIN)
    some = capacity(target("1000/s"), a_cost(), replace(PLAIN, law=Law(0.001, 1e-6, 5.0)))
    parted = capacity(target("1000/s"), a_cost(), replace(PLAIN, law=Law(0.02, 1e-3, 5.0)))

    assert alone["cells"] == some["cells"] == 1
    assert some["cores"] > alone["cores"]
    assert parted["cells"] > 1
    assert parted["cores"] > some["cores"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_plan(name):
    plan = capacity(target(name), a_cost(), Terms())

    assert plan["cores"] > 100
    assert plan["redis_bytes"] > 1e9
    assert "users" in " ".join(plan["assumptions"])


@pytest.mark.parametrize(
    ("text", "per_s"), [("200/s", 200), ("50M/h", 50e6 / 3600), ("1.5k/min", 25), ("2B/d", 2e9 / 86_400)]
)
def test_a_target_is_read_as_people_write_it(text, per_s):
    assert target(text).rate_per_s == pytest.approx(per_s)


@pytest.mark.parametrize("text", ["", "50M", "-5/s", "0/s", "1e9/s", "5/y", "many", "9999999B/s"])
def test_what_is_no_target_is_refused(text):
    with pytest.raises(SandboxError, match="CFG-004"):
        target(text)


@pytest.mark.parametrize(
    "absurd", [{"busy": 0}, {"busy": 2}, {"spare": -1}, {"core_hour": -1}, {"gb_hour": float("nan")}]
)
def test_absurd_terms_are_refused(absurd):
    with pytest.raises(SandboxError, match="CFG-004"):
        Terms(**absurd)


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(1, 1e5), more=st.floats(1.01, 10))
def test_more_requests_never_take_less(rate, more):
    less, all_ = (capacity(target(f"{r:.3f}/s"), a_cost(), Terms()) for r in (rate, rate * more))

    assert all(all_["replicas"][name] >= n for name, n in less["replicas"].items())


def test_a_short_measurement_has_a_wide_interval():
    cost = a_cost()
    short = replace(cost, requests=cost.requests[:5], cores={n: v[:5] for n, v in cost.cores.items()})

    assert short.interval() == (0.5, 2.0)


def test_the_costs_of_a_report_are_those_of_its_run(tmp_path):
    """One model process that uses .95 of a core at 50 requests a second: 19 ms each."""
    run = a_run(seconds=40)
    page = saved.save(saved.fresh(tmp_path), saved.whole(run, "here", "now", users=500), run.requests)
    found = costs.cost(page)

    assert found.users == 500
    assert found.cpu_ms()["model"] == pytest.approx(19, rel=0.1)
    assert found.rss_mb["model"] == 200
    assert str(tmp_path) in found.said


def test_a_report_without_telemetry_tells_no_cost(tmp_path):
    run = replace(a_run(), seen=Seen())
    page = saved.save(saved.fresh(tmp_path), saved.whole(run, "here", "now", users=500), run.requests)

    with pytest.raises(SandboxError, match="CFG-003"):
        costs.cost(page)


def test_the_command_answers_from_the_costs_that_ship(capsys):
    with pytest.raises(SystemExit) as left:
        main(["capacity", "--target", "500M-dau-50M-h", "--json"])
    plan = json.loads(capsys.readouterr().out)

    assert not left.value.code
    assert {
        "replicas", "cores", "memory_bytes", "redis_bytes", "cost_per_million", "low", "high", "assumptions"
    } <= plan.keys()  # fmt: skip
    assert plan["low"] <= plan["cost_per_million"] <= plan["high"]
    assert {"gateway", "model", "redis"} <= plan["replicas"].keys()
