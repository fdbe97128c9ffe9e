from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call

RELEASE = Release("rules", "sensitivity", "sl-2", "trust-and-safety",
                  patches={"rules": {"sensitivity": {"version": "sl-2", "threshold": 0.75}}})  # fmt: skip


def rolled_out(bench, callee="sensitivity", **params):
    armed = bench(fault="sensitivity-label-lag", params=params, scope={"callee": callee})
    call = Call("release", "rules", "sensitivity", "rollout", payload=RELEASE)
    return armed.pass_on(call).patches["rules"]["sensitivity"]


def test_the_list_comes_with_the_delay_and_what_it_said_else_stays(bench):
    listed = rolled_out(bench, delay_s=86_400)

    assert listed == {"version": "sl-2", "threshold": 0.75, "label_delay_s": 86_400}


def test_a_release_of_something_else_passes_unchanged(bench):
    assert "label_delay_s" not in rolled_out(bench, callee="banner")


def test_the_release_itself_is_not_touched(bench):
    rolled_out(bench)

    assert "label_delay_s" not in RELEASE.patches["rules"]["sensitivity"]
