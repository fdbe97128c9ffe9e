"""Adaptive limits on a virtual stack: their action, and what is answered when more come than it can serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtest.lab.arrivals import arrivals
from loadtest.lab.plan import Plan
from sandbox.base.config import Config
from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.bench.overload import Point, point
from sandbox.bench.overload_sides import Virtual
from sandbox.runtime.building import ensure_built
from sandbox.runtime.operate.actions import Action
from sandbox.virtual.machine.fabric import dice
from sandbox.virtual.stack import VirtualStack

RATE, SECONDS, SETTLE_S = 130.0, 5.0, 2.5  # twice what it can serve


@pytest.fixture(scope="module")
def stack(home: Path, tmp_path_factory: pytest.TempPathFactory) -> VirtualStack:
    return VirtualStack("tiny", tmp_path_factory.mktemp("limits") / "run", rate_per_s=1e-6)


def act(stack: VirtualStack, text: str) -> Action:
    return Action.parse(f"concurrency {text}".split())


def test_the_action_says_what_it_will_do_does_it_and_goes_back(stack: VirtualStack) -> None:
    before = (stack.run_dir / "config.json").read_text()
    action = act(stack, "service=gateway mode=vegas least=3 most=30")
    preview = action.preview(stack.operations)
    done = action.run(stack.operations, "operator")

    assert preview.summary == "calls that gateway has in flight: off becomes vegas least=3 most=30"
    assert (preview.touches, preview.reversible) == (["gateway"], True)
    assert "people" in preview.warning
    assert stack.fabric.processes["gateway"].gate is not None
    assert stack.fabric.processes["gateway"].gate.limit == 3
    assert (done.key, done.old, done.new) == ("concurrency", "off", "vegas least=3 most=30")
    stack.operations.revert(done.n, "operator")
    assert stack.fabric.processes["gateway"].gate is None
    assert Config.load(stack.run_dir).model_copy(update={"version": 1}).model_dump_json(indent=1) == before


def test_what_is_not_given_stays_as_it_was(stack: VirtualStack) -> None:
    for text in ("service=model mode=gradient most=9", "service=model mode=vegas least=4"):
        act(stack, text).run(stack.operations, "operator")

    found = Config.load(stack.run_dir).concurrency("model")
    assert found is not None
    assert (found.mode, found.least, found.most) == ("vegas", 4, 9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("service=rules mode=vegas", "gateway, model"),
        ("service=gateway mode=fast", "off, gradient, vegas"),
        ("service=gateway mode=vegas least=0", "greater than or equal to 1"),
        ("service=gateway mode=vegas least=2.5", "a whole number"),
        ("service=gateway mode=vegas least=9 most=3", "least is at most as large as most"),
        ("service=gateway mode=off most=3", "none with mode=off"),
        ("service=gateway mode=vegas feedback=lose", "keep, shed"),
        ("service=model mode=vegas feedback=shed", "gateway"),
    ],
)
def test_nonsense_is_refused_in_the_preview_already(stack: VirtualStack, text: str, said: str) -> None:
    with pytest.raises(SandboxError, match="DRILL-007") as caught:
        act(stack, text).preview(stack.operations)

    assert said in caught.value.expected


def test_a_process_that_starts_again_begins_at_the_least(stack: VirtualStack) -> None:
    act(stack, "service=model mode=vegas least=2").run(stack.operations, "operator")
    before = stack.fabric.processes["model"].gate
    stack.restart("model")

    assert stack.fabric.processes["model"].gate is not before
    assert stack.fabric.processes["model"].gate is not None


def test_a_program_is_turned_away_where_a_person_is_let_in(stack: VirtualStack) -> None:
    act(stack, "service=gateway mode=vegas least=2 most=2").run(stack.operations, "operator")
    one, two = (dice(1, "request", *(np.array([n]) for n in (3, session, 1)))[0] for session in (71, 72))
    person = stack.loop.spawn(stack.clients.ask_once(3, 71, one))
    stack.loop.run_until(stack.loop.now + 0.01)
    program = stack.clients.probe(3)
    stack.loop.run_until(stack.loop.now + 0.005)
    other = stack.loop.spawn(stack.clients.ask_once(3, 72, two))
    stack.advance(stack.now() + 180)
    stack.gathering.settle()

    assert stack.recorder is not None
    shed = [dict(zip(TABLES["shed"].names, row, strict=True)) for row in stack.recorder._rows["shed"]]
    assert [(row["trace_id"], row["reason"]) for row in shed] == [(program, "reserve")]
    assert [task.value[0] for task in (person, other)] == ["OK", "OK"]


@pytest.fixture(scope="module")
def twice(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Point]:
    side = Virtual("tiny", tmp_path_factory.mktemp("twice") / "run")
    made = {}
    for mode in ("off", "gradient", "vegas"):
        side.mode(mode)
        ended = side.load(arrivals(Plan(rate=RATE, seconds=SECONDS)).at_s.tolist(), seed=1)
        made[mode] = point(mode, RATE, ended, SETTLE_S, SECONDS)
    return made


@pytest.mark.parametrize("mode", ["gradient", "vegas"])
def test_with_a_limit_a_crowd_costs_those_it_turns_away_and_nobody_else(twice: dict[str, Point], mode: str) -> None:
    with_it, without = twice[mode], twice["off"]

    assert without.good_per_s < 10, "all are let in, and all are late"
    assert with_it.good_per_s > 50
    assert with_it.p99_ms < 300
    assert with_it.n == without.n
    assert with_it.shed_share == pytest.approx(1 - with_it.answered_per_s * (SECONDS - SETTLE_S) / with_it.n, abs=0.02)


@pytest.mark.slow
def test_a_storm_of_retries_is_cut_short_where_fewer_are_let_in(home: Path, tmp_path: Path) -> None:
    """Load below the stable point lets what is down come up (Bronson et al., "Metastable failures in distributed systems",
    HotOS 2021). The client that makes storms is still there: they come again, and pass."""
    ensure_built("laptop")
    stack = VirtualStack("laptop", tmp_path / "run", seed=41, rate_per_s=40.0)

    def stand_ins(minutes: float) -> float:
        """Their share in so many minutes from now."""
        began = stack.now()
        stack.advance(began + minutes * 60)
        requests = stack.ledger.requests
        return float(requests.degraded[requests.ts >= began].mean())

    calm = stand_ins(4)
    for callee in ("model", "features"):
        for name, *settings in (["deadline", "ms=450"], ["retries", "attempts=30", "timeout_ms=8"]):
            Action.parse([name, "caller=ranking", f"callee={callee}", *settings]).run(stack.operations, "operator")
    stack.arm("model", {"id": "f", "fault": "cpu-starvation", "params": {"mode": "quota", "quota": 0.02}})
    stack.advance(stack.now() + 180)
    stack.disarm("model", "f")
    storm = stand_ins(6)
    act(stack, "service=gateway mode=gradient").run(stack.operations, "operator")

    assert calm == 0
    assert storm > 0.9, "its cause is over, and it is not"
    assert stand_ins(14) < 0.55
