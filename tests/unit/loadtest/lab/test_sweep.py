"""Sweeps: which settings, in what order, what is kept, and what nothing beats."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.lab.plan import Plan
from loadtest.lab.report.of_sweep import report
from loadtest.lab.slo import Slo
from loadtest.lab.sweep import AS_IS, Point, beats, points, table, turn
from loadtest.lab.sweep_run import sweep
from loadtest.lab.truth import worth
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.world.behaviour import Behaviour
from tests.unit.loadtest.lab.runs import a_run

PLAN = Plan("poisson", rate=50.0, seconds=20.0)
SLO = Slo.of("p99<1s")


def trial(point: str, n: int, quality: float, cpu_ms: float, latency_ms: float | None) -> dict:
    return {
        "point": point,
        "round": n,
        "quality": quality,
        "cpu_ms": cpu_ms,
        "latency_ms": latency_ms,
        "ok_share": 1.0,
        "n": 9,
    }


def test_knobs_are_combined_and_the_stack_as_it_is_comes_first():
    found = points(["candidates=50,400", "breaker=off,on", "model.max_wait_ms=2.5"])

    assert [p.name for p in found][:2] == [AS_IS, "candidates=50 breaker=off wait=2.5"]
    assert len(found) == 5
    patches = found[2].patches(Config())
    assert patches["gateway"]["n_candidates"] == 50
    assert patches["gateway"]["ranking"]["breaker"]["open_s"] > 0
    assert patches["gateway"]["ranking"]["deadline_ms"] == Config().gateway.ranking.deadline_ms
    assert patches["model"] == {"max_wait_ms": 2.5}


def test_a_value_may_be_a_document():
    (_, point) = points(['breaker={"open_s":3,"window_s":2}'])

    assert point.patches(Config())["gateway"]["ranking"]["breaker"]["open_s"] == 3


@pytest.mark.parametrize(
    "absurd", ["candidates=-5", "candidates=many", "nowhere.field=1", "gateway.what=1", "gateway=1"]
)
def test_what_no_document_allows_is_refused_before_anything_runs(absurd):
    with pytest.raises(SandboxError, match="CFG-001"):
        points([absurd])[1].patches(Config())


@pytest.mark.parametrize(
    "absurd", [[], ["candidates"], ["candidates="], ["wait=1", "wait=2"], ["wait=" + ",".join("1" * 65)]]
)
def test_what_is_no_knob_is_refused(absurd):
    with pytest.raises(SandboxError, match="CFG-004"):
        points(absurd)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 20))
def test_every_point_comes_once_a_round_and_none_again(n, rounds, done):
    names, made = [f"p{i}" for i in range(n)], []
    while (due := turn(names, made, rounds)) is not None:
        made.append({"round": due[0], "point": due[1]})

    assert len({(t["round"], t["point"]) for t in made}) == len(made) == n * rounds
    assert [t["point"] for t in made[:n]] == names
    assert turn(names, made[: min(done, len(made))], rounds) == (
        (made[done]["round"], made[done]["point"]) if done < len(made) else None
    )


def test_the_frontier_holds_what_nothing_clearly_beats():
    trials = [
        t
        for n, drift in enumerate((0.0, 30.0, 60.0))  # of the machine, far more than between points
        for t in (
            trial("cheap", n, 0.3 + n / 100, 20 + drift, 50 + drift),
            trial("good", n, 0.5 + n / 100, 40 + drift, 80 + drift),
            trial("wasteful", n, 0.29 + n / 100, 30 + drift + n, 70 + drift),
            trial("dead", n, 0.0, 90 + drift, None),
        )
    ]
    rows = {r["point"]: r for r in table(["cheap", "good", "wasteful", "dead", "never"], trials)}

    assert [name for name, r in rows.items() if r["frontier"]] == ["cheap", "good"]
    assert rows["wasteful"]["beaten_by"] == ["cheap"]
    assert "never" not in rows
    assert rows["cheap"]["cpu_ms"]["low"] == 0.0


def test_one_round_makes_nothing_clear():
    assert not beats([trial("a", 0, 0.9, 1, 1)], [trial("b", 0, 0.1, 9, 9)])


class Stack:
    """A stack on paper: as many trials as it is asked for, until a Ctrl-C."""

    def __init__(self, ctrl_c_at: int = -1) -> None:
        self.asked: list[tuple[str, int]] = []
        self._ctrl_c_at = ctrl_c_at

    def measured(self, point: Point, plan: Plan):
        if len(self.asked) == self._ctrl_c_at:
            raise KeyboardInterrupt
        self.asked.append((point.name, plan.seed))
        return a_run(scale_ms=10.0 if point.settings else 20.0, seed=plan.seed), 0.4


def test_a_sweep_that_was_ended_goes_on_where_it_was(tmp_path):
    knobs = points(["candidates=50"])
    broken = sweep(Stack(ctrl_c_at=3).measured, knobs, PLAN, 2, SLO, tmp_path)
    again = Stack()
    whole = sweep(again.measured, knobs, PLAN, 2, SLO, tmp_path)

    assert broken["stopped"] == "interrupted"
    assert len(broken["trials"]) == 3
    assert again.asked == [(AS_IS, 2)]
    assert whole["stopped"] is None
    assert [(t["point"], t["round"]) for t in whole["trials"]] == [
        (AS_IS, 0), ("candidates=50", 0), ("candidates=50", 1), (AS_IS, 1)
    ]  # fmt: skip
    assert whole["trials"][0]["quality"] == pytest.approx(0.4)
    assert "candidates=50" in report(whole, "here")
    with pytest.raises(SandboxError, match="CFG-003"):
        sweep(again.measured, points(["candidates=60"]), PLAN, 2, SLO, tmp_path)


def test_a_full_disk_ends_a_sweep_and_what_was_measured_is_told(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("loadtest.lab.sweep_run.write_atomically", full)
    told = sweep(Stack().measured, points(["wait=1"]), PLAN, 2, SLO, tmp_path)

    assert "No space left" in told["stopped"]
    assert len(told["trials"]) == len(told["rows"]) == 1


def test_another_file_in_its_place_is_left_alone(tmp_path):
    (tmp_path / "sweep.json").write_text(json.dumps({"not": "one"}))

    with pytest.raises(SandboxError, match="CFG-003"):
        sweep(Stack().measured, points(["wait=1"]), PLAN, 1, SLO, tmp_path)
    assert json.loads((tmp_path / "sweep.json").read_text()) == {"not": "one"}


def test_quality_is_a_share_of_the_best_slates(tiny):
    behaviour = Behaviour.load(tiny[1])
    users, sessions = np.arange(20), np.arange(100, 120)
    best = np.argsort(-behaviour.attraction_to_all(users, sessions), axis=1)[:, :5]
    worst = np.argsort(behaviour.attraction_to_all(users, sessions), axis=1)[:, :5]
    half = best.copy()
    half[:, 2:] = -1

    assert worth(behaviour, users, sessions, best) == pytest.approx(1.0, abs=1e-5)
    assert worth(behaviour, users, sessions, worst) < worth(behaviour, users, sessions, half) < 1
    assert worth(behaviour, users[:0], sessions[:0], best[:0]) == 0.0
