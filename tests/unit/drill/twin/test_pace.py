"""How long a twin takes is said before it has begun, and better with every run that has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.pace import UNKNOWN_S, Pace
from tests.unit.drill.scenes import scenario

PLAN = ArmPlan(scenario(), "tiny", 1, True, (), 36_000.0)
DAYS = [PLAN, replace(PLAN, faults=False), replace(PLAN, seed=2, faults=False), replace(PLAN, seed=3)]


class Wall:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall():
    return Wall()


def test_it_says_what_is_run_and_corrects_itself(tmp_path, wall):
    pace = Pace(DAYS, 2, tmp_path / "pace.json", wall)
    assert UNKNOWN_S == 20.0
    assert pace.told(0) == ("the twin: 2 healthy, 2 with the fault and nothing done; 0 of 4 runs done, about 40 s left")
    wall.now = 10.0
    assert "2 of 4 runs done, about 10 s left" in pace.told(2)
    assert "all done" in pace.told(4)


def test_what_runs_took_is_remembered_by_world_and_scales_with_their_requests(tmp_path, wall):
    memory = tmp_path / "pace.json"
    first = Pace(DAYS, 2, memory, wall)
    wall.now = 200.0
    first.finish()

    assert "about 3 min left" in Pace(DAYS, 2, memory, wall).told(0)
    longer = [replace(plan, until_s=72_000.0) for plan in DAYS]
    assert "about 7 min left" in Pace(longer, 2, memory, wall).told(0)
    elsewhere = [replace(plan, world="laptop") for plan in DAYS]
    assert "about 40 s left" in Pace(elsewhere, 2, memory, wall).told(0)


def test_a_memory_that_cannot_be_read_is_none(tmp_path, wall):
    memory = tmp_path / "pace.json"
    memory.write_text('{"tiny": "fast"')

    assert "about 40 s left" in Pace(DAYS, 2, memory, wall).told(0)
