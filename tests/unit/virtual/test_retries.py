"""Retries without a bound keep a callee down after what slowed it is over; a budget, or none of them, do not.

A callee bears 100 calls a second and gets 60; for one second it gets 200.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.base.config import Breaker, Config, Edge
from sandbox.base.errors import SandboxError
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Record
from sandbox.virtual.stack import VirtualStack
from tests.unit.virtual.test_fabric import Bench

STORM = {"deadline_ms": 400, "timeout_ms": 40, "attempts": 30}
TRIGGER = (2.0, 3.0)  # seconds


def play(edge: Edge, until: float = 9.0) -> Bench:
    bench, at = Bench(), 0.0
    while at < until - 1:
        bench.loop.at(at, bench.call, "gateway", edge)
        at += 1 / 200 if TRIGGER[0] <= at < TRIGGER[1] else 1 / 60
    bench.loop.run_until(until)
    return bench


def answered(bench: Bench, since: float, until: float) -> float:
    """Share of the calls that ended in that time and did well."""
    codes = [code for _, code, ms in bench.ended if since <= ms / 1000 < until]
    return codes.count("OK") / len(codes)


def attempts(bench: Bench, since: float, until: float) -> float:
    """Of each call, by client spans that began in that time."""
    numbers = [row[12] for _, table, row in bench.rows
               if table == "spans" and row[7] == "client" and since <= row[0] / 60 < until]  # fmt: skip
    return len(numbers) / numbers.count(1)


def test_load_that_failure_makes_outlives_its_trigger():
    bench = play(Edge(**STORM))

    assert answered(bench, 0, 2) == 1
    assert attempts(bench, 0, 2) == 1
    assert answered(bench, 6, 8) < 0.2  # three seconds after it is over
    assert attempts(bench, 6, 8) > 5


@pytest.mark.parametrize(
    "remedy", [{"attempts": 1}, {"timeout_ms": None, "attempts": 2}, {"retry_budget": 0.1},
               {"breaker": Breaker(failed_share=0.5, least_calls=20, window_s=1, open_s=1)}],
    ids=["one attempt", "as it is by default", "a budget", "a breaker"],
)  # fmt: skip
def test_what_bounds_the_retries_lets_it_recover(remedy):
    bench = play(Edge(**{**STORM, **remedy}))

    assert answered(bench, 6, 8) > 0.95


def test_cut_in_the_middle_of_it_the_storm_ends():
    bench = play(Edge(**STORM), until=6.0)
    before = answered(bench, 4, 5)

    for n in range(180):
        bench.loop.at(6.0 + n / 60, bench.call, "gateway", Edge(**{**STORM, "attempts": 1}))
    bench.loop.run_until(10.0)

    assert before < 0.2
    assert answered(bench, 7, 9) > 0.95


# -- the action --------------------------------------------------------------------------------------


@pytest.fixture
def stack(home: Path, tmp_path: Path) -> VirtualStack:
    return VirtualStack("tiny", tmp_path / "run", seed=3, telemetry=False)


def act(stack: VirtualStack, words: str) -> Record:
    return Action.parse(words.split()).run(stack.operations, "operator")


def test_retries_are_changed_and_taken_back_without_touching_the_rest(stack: VirtualStack) -> None:
    def now() -> Edge:
        return stack.config.ranking.model

    usual = now()
    act(stack, "deadline caller=ranking callee=model ms=200")
    done = act(stack, "retries caller=ranking callee=model attempts=4 timeout_ms=40 retry_budget=0.1")
    assert now() == usual.model_copy(update={"deadline_ms": 200, "attempts": 4, "timeout_ms": 40, "retry_budget": 0.1})
    assert (done.old, done.new) == ("attempts=2", "attempts=4 timeout_ms=40 retry_budget=0.1")
    assert done.key == "model.retries"

    act(stack, "retries caller=ranking callee=model attempts=4 timeout_ms=off")
    assert (now().timeout_ms, now().retry_budget) == (None, 0.1)
    act(stack, f"revert change={done.n}")
    assert now() == usual.model_copy(update={"deadline_ms": 200})


@pytest.mark.parametrize(
    ("words", "where", "expected"),
    [
        ("caller=gateway callee=model attempts=2", "caller, callee", "caller=ranking callee=model"),
        ("caller=gateway callee=ranking", "attempts", "attempts=..."),
        ("caller=gateway callee=ranking attempts=99", "attempts", "less than or equal"),
        ("caller=gateway callee=ranking attempts=2.5", "attempts", "integer"),
        ("caller=gateway callee=ranking attempts=2 timeout_ms=soon", "timeout_ms", "a number"),
        ("caller=gateway callee=ranking attempts=2 backoff_ms=off", "backoff_ms", "a number"),
        ("caller=gateway callee=ranking attempts=2 retry_budget=7", "retry_budget", "less than or equal"),
    ],
)
def test_nonsense_is_refused_by_name(stack: VirtualStack, words: str, where: str, expected: str) -> None:
    with pytest.raises(SandboxError) as refusal:
        Action.parse(["retries", *words.split()]).preview(stack.operations)

    assert refusal.value.kind.code == "DRILL-007"
    assert where in refusal.value.where
    assert expected in refusal.value.expected


def test_documents_do_not_speak_of_what_is_not_set() -> None:
    text = Config().model_dump_json()

    assert not [name for name in ("timeout_ms", "backoff_ms", "retry_budget", "max_handlers") if name in text]
    edge = Edge(deadline_ms=50, timeout_ms=5, backoff_ms=1, retry_budget=0.2)
    assert Edge.model_validate_json(edge.model_dump_json()) == edge
