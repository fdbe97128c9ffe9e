"""A release of a client that tries again, and again, at once and without a bound."""

import pytest

from faults.client.retry_storm_metastable import RetryStormMetastable
from sandbox.base.config import Edge
from sandbox.base.errors import SandboxError
from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call

EDGE = {"deadline_ms": 300, "attempts": 2}
RELEASE = Release(
    "ranking", "client", "4.0", "team", patches={"ranking": {"model": EDGE, "features": EDGE, "sample_share": 0.05}}
)


def rolled_out(bench, callee="client", **params):
    armed = bench(fault="retry-storm-metastable", params=params, scope={"callee": callee})
    call = Call("release", "ranking", "client", "rollout", payload=RELEASE)
    return armed.pass_on(call).patches["ranking"]


def test_every_edge_of_the_release_retries_and_the_rest_is_as_it_was(bench):
    patches = rolled_out(bench, timeout_ms=8, max_attempts=20)

    assert patches["sample_share"] == 0.05
    for callee in ("model", "features"):
        edge = Edge(**patches[callee])
        assert (edge.deadline_ms, edge.attempts, edge.timeout_ms) == (300, 20, 8)
        assert (edge.backoff_ms, edge.retry_budget, edge.breaker) == (0, None, None)


def test_backoff_and_budget_come_out_as_given(bench):
    edge = Edge(**rolled_out(bench, backoff_ms=4, retry_budget=0.5)["model"])

    assert (edge.backoff_ms, edge.retry_budget) == (4, 0.5)


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, callee="banner")["model"] == EDGE


@pytest.mark.parametrize(
    ("params", "patches", "knob"),
    [
        ({"retry_budget": 0.1}, RELEASE.patches, "retry_budget"),
        ({}, {"ranking": {"sample_share": 0.1}}, "timeout_ms"),
        ({"timeout_ms": 200}, RELEASE.patches, "timeout_ms"),
    ],
)
def test_what_would_start_no_storm_is_told(params, patches, knob):
    why = RetryStormMetastable.idle(RetryStormMetastable.Params(**params), patches)

    assert why is not None
    assert why.startswith(knob)


def test_with_its_usual_knobs_it_is_not_idle():
    assert RetryStormMetastable.idle(RetryStormMetastable.Params(), RELEASE.patches) is None
    assert RetryStormMetastable.idle(RetryStormMetastable.Params(), {}) is None


@pytest.mark.parametrize("knob", [{"max_attempts": 1}, {"timeout_ms": 0}, {"retry_budget": 2}])
def test_knobs_out_of_range_are_refused(bench, knob):
    with pytest.raises(SandboxError, match="FLT-002"):
        bench(fault="retry-storm-metastable", params=knob)
