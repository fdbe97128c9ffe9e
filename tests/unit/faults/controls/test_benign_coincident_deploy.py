from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call


def test_the_release_goes_out_exactly_as_it_was_prepared(bench):
    release = Release("ranking", "log_level", "info", "ops", patches={"ranking": {"sample_share": 0.05}})

    passed = bench(fault="benign-coincident-deploy").pass_on(
        Call("release", "ranking", "log_level", "rollout", payload=release)
    )

    assert passed == release
