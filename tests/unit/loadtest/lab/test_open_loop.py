"""What plan Locust's own options mean, as people give them who start Locust themselves."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from loadtest.lab.open_loop import UNTIL_STOPPED_S, OpenLoop, plan_of, status_of
from loadtest.lab.plan import Plan
from sandbox.base.errors import SandboxError


def options(**given: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"arrivals": "spike", "rate": 20.0, "run_time": None, "load_seed": 3, **given})


@pytest.mark.parametrize(("run_time", "seconds"), [(None, UNTIL_STOPPED_S), (90, 90.0)])
def test_a_shape_by_name_goes_by_locusts_rate_and_time(run_time, seconds):
    assert plan_of(options(run_time=run_time)) == Plan("spike", rate=20.0, seconds=seconds, seed=3)


def test_a_file_is_the_plan_that_it_holds(tmp_path):
    plan = Plan("replay", seconds=5, replayed_s=(0.0, 1.5))
    (tmp_path / "plan.json").write_text(json.dumps(plan.document()))

    assert plan_of(options(arrivals=str(tmp_path / "plan.json"))) == plan


def test_a_master_or_a_worker_is_refused_as_each_would_make_all_arrivals():
    runner = type("WorkerRunner", (), {})()
    traffic = SimpleNamespace(environment=SimpleNamespace(runner=runner))

    with pytest.raises(SandboxError, match="CFG-004"):
        OpenLoop(traffic, Plan())


def test_an_error_is_named_by_its_status():
    class Late(grpc.RpcError):
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.DEADLINE_EXCEEDED

    assert status_of(Late()) == "DEADLINE_EXCEEDED"
    assert status_of(RuntimeError()) == "UNKNOWN"
