from faults.arming import Spec, params_of
from faults.catalogue import fault_named
from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call

RELEASE = Release("gateway", "rules", "120", "gateway-team",
                  patches={"gateway": {"rules": {"deadline_ms": 120, "path": "b"}}})  # fmt: skip


def rolled_out(bench, callee="rules", **params):
    armed = bench(fault="rules-fail-open", params=params, scope={"callee": callee})
    return armed.pass_on(Call("release", "gateway", callee, "rollout", payload=RELEASE)).patches["gateway"]


def test_the_gateway_waits_so_long_and_then_goes_without_the_rules(bench):
    assert rolled_out(bench, timeout_ms=20) == {"rules": {"deadline_ms": 20, "path": "b"}, "rules_fail": "open"}


def test_a_release_of_something_else_passes_unchanged(bench):
    armed = bench(fault="rules-fail-open", scope={"callee": "rules"})
    call = Call("release", "gateway", "banner", "rollout", payload=RELEASE)

    assert armed.pass_on(call) is RELEASE


def test_the_release_itself_is_not_touched(bench):
    rolled_out(bench)

    assert RELEASE.patches == {"gateway": {"rules": {"deadline_ms": 120, "path": "b"}}}


def test_a_wait_that_is_no_shorter_than_the_release_says_would_do_nothing():
    cls = fault_named("rules-fail-open")

    assert "120 ms" in cls.idle(params_of(Spec(fault=cls.name, params={"timeout_ms": 121})), RELEASE.patches)
    assert cls.idle(params_of(Spec(fault=cls.name)), RELEASE.patches) is None
