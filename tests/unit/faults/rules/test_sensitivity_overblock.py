from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call


def rolled_out(bench, target="sensitivity_list", **params):
    listed = {"version": "sl-2", "threshold": 0.75, "by_language": {"de": 0.7}, "by_topic": {}}
    release = Release("rules", "sensitivity_list", "sl-2", "policy-team", patches={"rules": {"sensitivity": listed}})
    armed = bench(fault="sensitivity-overblock", params=params, scope={"callee": target})
    call = Call("release", "rules", "sensitivity_list", "rollout", payload=release)
    return armed.pass_on(call).patches["rules"]["sensitivity"]


def test_the_languages_it_hits_get_the_low_threshold(bench):
    listed = rolled_out(bench, threshold=0.2, languages=["es", "tr"])

    assert listed["by_language"] == {"de": 0.7, "es": 0.2, "tr": 0.2}


def test_topics_and_the_general_threshold_stay_when_only_languages_are_hit(bench):
    listed = rolled_out(bench, threshold=0.2, languages=["es"])

    assert listed["by_topic"] == {}
    assert listed["threshold"] == 0.75


def test_a_release_of_something_else_passes_unchanged(bench):
    assert rolled_out(bench, target="banner", languages=["es"])["by_language"] == {"de": 0.7}
