"""Configurations in turns: their order, their arrivals, and a stack that is left as it was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import numpy as np
import pytest

from loadtest.lab import saved
from loadtest.lab.outcome import Run
from loadtest.lab.plan import Plan
from loadtest.lab.turns import Turns, configured, in_turns
from sandbox.cli.app import main
from tests.unit.loadtest.lab.runs import a_run, one_server

PLAN = Plan("poisson", rate=50, seconds=10)


class Bench:
    """A stack of which only the configuration in force is known."""

    def __init__(self) -> None:
        self.now, self.order, self.plans = "", [], []

    @contextlib.contextmanager
    def configured(self, text: str) -> Iterator[None]:
        self.now = text
        try:
            yield
        finally:
            self.now = ""

    def measured(self, plan: Plan) -> Run:
        self.order.append(self.now)
        self.plans.append(plan)
        return one_server(plan, per_s=200 if self.now == "fast" else 100)

    def turns(self, rounds: int) -> Turns:
        return in_turns(self.measured, self.configured, "slow", "fast", PLAN, rounds)


def test_turns_go_a_b_b_a_and_neighbours_have_the_same_arrivals():
    bench = Bench()
    turns = bench.turns(2)

    assert bench.order == ["slow", "fast", "fast", "slow"] * 2
    assert [p.seed for p in bench.plans] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert len(turns.a) == len(turns.b) == 4
    assert turns.seconds == 8
    assert all(len(r) and r.intended_s.min() >= 0 and r.intended_s.max() < 8 for r in turns.a + turns.b)
    assert bench.now == ""


def test_what_is_interrupted_keeps_its_pairs_and_leaves_the_stack_as_it_was():
    bench = Bench()
    measured = bench.measured

    def interrupted(plan: Plan) -> Run:
        if len(bench.order) == 4:
            raise KeyboardInterrupt
        return measured(plan)

    turns = in_turns(interrupted, bench.configured, "slow", "fast", PLAN, 3)

    assert turns.interrupted
    assert len(turns.a) == len(turns.b) == 2
    assert bench.now == ""


def test_as_is_changes_nothing(tmp_path):
    class Untouched:
        def __getattr__(self, name: str) -> None:
            raise AssertionError(name)

    with configured("as-is", Untouched()):
        pass


def test_two_saved_reports_are_compared_by_the_command(tmp_path, capsys):
    places = []
    for seed, scale_ms in ((1, 20.0), (2, 40.0)):
        run = a_run(seed=seed, scale_ms=scale_ms)
        places.append(str(saved.save(saved.fresh(tmp_path), saved.whole(run, "x", "now"), run.requests)))
    with pytest.raises(SystemExit) as left:
        main(["load", "compare", *places, "--json"])
    told = json.loads(capsys.readouterr().out)

    assert not left.value.code
    assert told["p50_ms"]["verdict"] == "a"
    assert np.isfinite([told["p50_ms"][c] for c in ("a", "b", "ratio", "low", "high")]).all()


@pytest.mark.parametrize("words", [["no/report", "as-is"], ["as-is", "faster"], ["as-is", "as-is", "--rounds", "0"]])
def test_what_is_neither_report_nor_configuration_is_refused(words, capsys):
    with pytest.raises(SystemExit) as left:
        main(["load", "compare", *words, "--json"])

    assert left.value.code == 2
    assert json.loads(capsys.readouterr().err)["code"] == "CFG-004"
