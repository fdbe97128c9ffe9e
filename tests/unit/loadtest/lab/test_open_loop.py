"""What plan Locust's own options mean, as people give them who start Locust themselves."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from loadtest.lab.open_loop import UNTIL_STOPPED_S, VISITS, ordered, plan_of, status_of
from loadtest.lab.plan import Plan


def options(**given: Any) -> SimpleNamespace:
    return SimpleNamespace(
        **{"arrivals": "spike", "plan": "", "rate": 20.0, "factor": 2.0, "run_time": None, "load_seed": 3, **given}
    )


@pytest.mark.parametrize(("run_time", "seconds"), [(None, UNTIL_STOPPED_S), (90, 90.0)])
def test_a_shape_by_name_goes_by_locusts_rate_and_time(run_time, seconds):
    assert plan_of(options(run_time=run_time)) == Plan("spike", rate=20.0, seconds=seconds, seed=3, factor=2.0)
    assert plan_of(options(arrivals=VISITS)) is None


def test_a_file_is_the_plan_that_it_holds(tmp_path):
    plan = Plan("replay", seconds=5, replayed_s=(0.0, 1.5))
    (tmp_path / "plan.json").write_text(json.dumps(plan.document()))

    assert plan_of(options(plan=str(tmp_path / "plan.json"))) == plan


def test_a_plan_as_its_master_sends_it_is_the_plan():
    plan = Plan("bot-swarm", rate=3, seconds=9, factor=2)

    assert ordered(options(orders=json.dumps({"run": {}, "plan": plan.document()}))) == plan
    assert ordered(options(orders=json.dumps({"run": {}, "plan": None}))) is None


def test_an_error_is_named_by_its_status():
    class Late(grpc.RpcError):
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.DEADLINE_EXCEEDED

    assert status_of(Late()) == "DEADLINE_EXCEEDED"
    assert status_of(RuntimeError()) == "UNKNOWN"
