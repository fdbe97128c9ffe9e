"""A plan tried in small, and models by their size, by numbers that can be checked by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from loadtest.lab.capacity import Terms, target
from loadtest.lab.models import KNOWN, Speed, ranker, speed, table
from loadtest.lab.scaled import Played, part, told
from sandbox.base.errors import SandboxError
from sandbox.cli.app import main

TERMS = Terms(busy=0.5)


def test_the_part_is_the_largest_that_one_gateway_can_bear():
    """10 ms at half use: 50 a second. The model's 25 ms there are 1.25 cores: three replicas at half use."""
    rate, replicas = part(13_889.0, {"gateway": 10.0, "model": 25.0, "features": 1.0}, TERMS)

    assert rate == pytest.approx(50.0)
    assert replicas["model"] == 3
    assert replicas["features"] == replicas["rules"] == 1


def test_a_service_of_which_four_do_not_suffice_makes_the_part_smaller():
    rate, replicas = part(13_889.0, {"gateway": 1.0, "model": 100.0}, TERMS)

    assert rate == pytest.approx(20.0)
    assert replicas["model"] == 4


def test_a_target_smaller_than_one_gateway_is_played_whole():
    assert part(3.0, {"gateway": 10.0}, TERMS)[0] == 3.0


def test_what_was_foretold_is_held_against_what_came_out():
    """10 ms of the gateway, 8 of the model's. At 50 a second: half a core, and .2 of each of two models."""
    light = Played(2.0, 100.0, 200, {"gateway": 0.02, "model": 0.016, "stream": 0.002}, np.full(200, 30.0))
    full = Played(50.0, 100.0, 5_000, {"gateway": 0.55, "model": 0.4, "stream": 0.05}, np.full(5_000, 45.0))
    found = told(target("50000/s"), {"gateway": 15.0, "model": 9.0}, light, full, {"model": 2})

    assert found["share_of_target"] == pytest.approx(1 / 1_000)
    assert found["utilisation"]["gateway"] == pytest.approx({"foretold": 0.5, "found": 0.55})
    assert found["utilisation"]["model"] == pytest.approx({"foretold": 0.2, "found": 0.2})
    assert found["latency_ms"]["foretold_mean"] == pytest.approx(30 + 10 * 0.5 / 0.5 + 8 * 0.2 / 0.8)
    assert found["cpu_ms"] == pytest.approx({"plan": 24.0, "virtual": 19.0})
    assert "1/1,000 of the target" in found["said"][0]
    assert "gateway" in found["said"][0]
    assert "+7%" in found["said"][1]


@pytest.mark.slow
def test_a_plan_is_checked_by_a_run_of_a_part_of_it(home, capsys):
    with pytest.raises(SystemExit) as left:
        main(["capacity", "--target", "50M/h", "--check", "--check-seconds", "8", "-w", "tiny", "--json"])
    found = json.loads(capsys.readouterr().out)["checked"]

    assert not left.value.code
    assert found["requests"] > 200
    assert found["utilisation"]["gateway"]["found"] == pytest.approx(
        found["utilisation"]["gateway"]["foretold"], rel=0.3
    )
    assert found["latency_ms"]["full"]["99"] > found["latency_ms"]["light"]["50"] > 0


def test_a_pass_takes_its_arithmetic_or_its_reading_whichever_is_longer():
    here = Speed(per_s=10e9, streamed_per_s=4e9, said="a test")

    assert here.seconds(1e9, 2e9) == pytest.approx(1.0), "4 GB to read"
    assert here.seconds(1e6, 20e9) == pytest.approx(2.0), "20e9 operations"


def test_known_models_say_what_is_measured_and_what_is_not():
    rows = {r["model"]: r for r in table(Speed(10e9, 4e9, "a test"))}

    assert len(rows) == len(KNOWN) == 5
    assert rows["GPT-3"]["latency_ms"] == pytest.approx(175e3)
    assert rows["GPT-3"]["bytes"] == 700e9
    assert not any(r["measured"] for r in rows.values()), "all by the speed that was given"


def test_a_larger_ranker_costs_in_proportion():
    here = Speed(10e9, 4e9, "a test")
    small, large = (ranker(weights, 200, here) for weights in (1e6, 1e8))

    assert small["cpu_ms"] == pytest.approx(40.0)
    assert large["cpu_ms"] == pytest.approx(4_000.0)
    assert large["bytes"] == 400e6


@pytest.mark.parametrize(("weights", "rows"), [(0, 200), (-1, 200), (1e14, 200), (float("nan"), 200), (1e6, 0)])
def test_an_absurd_model_is_refused(weights, rows):
    with pytest.raises(SandboxError, match="CFG-004"):
        ranker(weights, rows, Speed(1e9, 1e9, "a test"))


def test_the_speed_of_this_machine_is_measured():
    here = speed(1e6, rows=16, repeats=2)

    assert here.per_s > 1e7
    assert here.streamed_per_s > 1e6
    assert "1 M weights" in here.said


def test_a_larger_ranker_takes_more_replicas_of_the_model(capsys):
    plans = []
    for more in ([], ["--model-params", "1e6"]):
        with pytest.raises(SystemExit):
            main(["capacity", "--target", "50M/h", "--json", *more])
        plans.append(json.loads(capsys.readouterr().out))

    assert plans[1]["replicas"]["model"] > plans[0]["replicas"]["model"]
    assert plans[1]["replicas"]["gateway"] == plans[0]["replicas"]["gateway"]
    assert "1,000,000 weights" in plans[1]["assumptions"][-1]
