from faults.catalogue import fault_named
from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call

RELEASE = Release("gateway", "consent_wait", "40", "gateway-team", patches={"gateway": {"consent_wait_ms": 40}})


def rolled_out(bench, callee="consent_wait"):
    armed = bench(fault="consent-filter-fail-open", scope={"callee": "consent_wait"})
    return armed.pass_on(Call("release", "gateway", callee, "rollout", payload=RELEASE))


def test_the_release_takes_no_answer_for_a_yes(bench):
    assert rolled_out(bench).patches == {"gateway": {"consent_wait_ms": 40, "consent_fail": "open"}}
    assert RELEASE.patches == {"gateway": {"consent_wait_ms": 40}}, "the release itself is not touched"


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, "banner") is RELEASE


def test_where_the_release_fails_open_by_itself_it_would_do_nothing():
    cls = fault_named("consent-filter-fail-open")

    assert "by itself" in cls.idle(cls.Params(), {"gateway": {"consent_wait_ms": 40, "consent_fail": "open"}})
    assert cls.idle(cls.Params(), RELEASE.patches) is None
