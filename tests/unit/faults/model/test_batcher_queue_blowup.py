"""A release of a batcher that goes by the clock, whoever waits."""

import pytest

from sandbox.base.config import Beat
from sandbox.base.errors import SandboxError
from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call

RELEASE = Release("model", "batcher", "2", "team", patches={"model": {"max_batch": 2048}, "rules": {"version": "ru-2"}})


def rolled_out(bench, key="batcher", **params):
    armed = bench(fault="batcher-queue-blowup", params=params, scope={"callee": key})
    return armed.pass_on(Call("release", "model", "batcher", "rollout", payload=RELEASE)).patches


def test_batches_go_by_the_beat_and_the_rest_of_the_release_is_as_it_was(bench):
    patches = rolled_out(bench, max_delay_ms=30, max_batch=2)

    assert Beat(**patches["model"].pop("beat")) == Beat(every_ms=30, calls=2)
    assert patches == RELEASE.patches


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, key="banner") == RELEASE.patches


@pytest.mark.parametrize("knob", [{"max_delay_ms": 0}, {"max_batch": 0}, {"max_delay_ms": 1_000}])
def test_knobs_out_of_range_are_refused(bench, knob):
    with pytest.raises(SandboxError, match="FLT-002"):
        bench(fault="batcher-queue-blowup", params=knob)
