from faults.catalogue import fault_named
from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call

RELEASE = Release("gateway", "consent_keep", "60", "gateway-team", patches={"gateway": {"consent_keep_s": 60}})


def rolled_out(bench, callee="consent_keep", **params):
    armed = bench(fault="consent-withdrawal-lag", params=params, scope={"callee": "consent_keep"})
    return armed.pass_on(Call("release", "gateway", callee, "rollout", payload=RELEASE))


def test_answers_are_kept_for_hours(bench):
    assert rolled_out(bench, keep_s=7200).patches == {"gateway": {"consent_keep_s": 7200}}
    assert RELEASE.patches == {"gateway": {"consent_keep_s": 60}}, "the release itself is not touched"


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, "banner") is RELEASE


def test_a_time_that_the_release_keeps_them_anyway_would_do_nothing():
    cls = fault_named("consent-withdrawal-lag")

    assert "60 s" in cls.idle(cls.Params(keep_s=60), RELEASE.patches)
    assert cls.idle(cls.Params(keep_s=61), RELEASE.patches) is None
