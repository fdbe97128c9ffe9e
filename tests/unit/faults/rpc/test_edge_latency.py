import pytest

from services.skeleton.seams import Call
from tests.unit.faults.conftest import ANSWER


def call(callee="features", op="GetItems", path="a"):
    return Call("rpc", "ranking", callee, op, user=1, session=2, position=3, path=path)


def test_a_call_in_scope_takes_the_delay_longer(bench):
    armed = bench(fault="rpc-edge-latency", params={"delay_ms": 80}, scope={"callee": "features"})

    assert armed.send(call()) == (ANSWER, pytest.approx(0.08))


def test_another_edge_and_another_path_are_untouched(bench):
    armed = bench(fault="rpc-edge-latency", scope={"callee": "features", "paths": ("a",)})

    assert armed.send(call("model", "Score"))[1] == 0
    assert armed.send(call(path="b"))[1] == 0


def test_jitter_adds_between_nothing_and_its_range_and_replays(bench):
    armed = bench(fault="rpc-edge-latency", params={"delay_ms": 10, "jitter_ms": 100})

    took = armed.send(call())[1]

    assert 0.010 <= took <= 0.110
    assert armed.send(call())[1] == pytest.approx(took)


def test_another_drill_has_another_jitter(bench):
    def took(seed):
        armed = bench(fault="rpc-edge-latency", params={"jitter_ms": 200}, seed=seed)
        return armed.send(call())[1]

    assert len({took(seed) for seed in range(8)}) == 8
