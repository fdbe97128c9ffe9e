import pytest

from faults.catalogue import fault_named
from sandbox.base.config import Config
from sandbox.pipeline.rollout import Release
from services.skeleton.balancer import pick
from services.skeleton.seams import Call

BROUGHT = {"ranking": {"replicas": 2}, "gateway": {"balancing": "round_robin", "explain_share": 0.03}}
RELEASE = Release("ranking", "capacity", "2", "team", patches=BROUGHT)


def rolled_out(bench, callee="capacity", release=RELEASE):
    armed = bench(fault="lb-pick-first-pin", scope={"callee": callee})
    return armed.pass_on(Call("release", "ranking", "capacity", "rollout", payload=release)).patches


def test_the_release_brings_a_client_that_stays_with_one_instance_and_all_else_as_it_was(bench):
    assert rolled_out(bench) == {
        "ranking": {"replicas": 2},
        "gateway": {"balancing": "pick_first", "explain_share": 0.03},
    }
    assert RELEASE.patches == BROUGHT


def test_with_what_it_brings_one_of_two_instances_gets_every_call(bench):
    config, last, taken = Config(), "", []
    config.gateway.balancing = rolled_out(bench)["gateway"]["balancing"]
    for _ in range(6):
        last = pick(config.balancing("gateway"), ["ranking-0", "ranking-1"], last, lambda _: True)
        taken.append(last)

    assert taken == ["ranking-0"] * 6


def test_every_caller_that_the_release_configures_is_spoilt(bench):
    both = Release("model", "capacity", "2", "team", patches={
        caller: {"balancing": "round_robin"} for caller in ("ranking", "retrieval")
    })  # fmt: skip

    assert rolled_out(bench, release=both) == {
        caller: {"balancing": "pick_first"} for caller in ("ranking", "retrieval")
    }


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, callee="banner") == BROUGHT


@pytest.mark.parametrize("patches", [{"ranking": {"replicas": 2}}, {"gateway": {"explain_share": 0.03}}])
def test_on_a_release_that_configures_no_caller_it_would_do_nothing(patches):
    kind = fault_named("lb-pick-first-pin")

    assert kind.idle(kind.Params(), patches) == "a release that sets balancing of a caller"
    assert kind.idle(kind.Params(), BROUGHT) is None
