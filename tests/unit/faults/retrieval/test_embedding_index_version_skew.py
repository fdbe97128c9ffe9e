from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call


def rolled_out(bench, **spec):
    release = Release("model", "generation", "2", "deploy-bot",
                      patches={"model": {"two_tower": "tt-2", "ranker": "rk-2"},
                               "retrieval": {"index_version": "ix-2"}})  # fmt: skip
    armed = bench(fault="embedding-index-version-skew", **spec)
    return armed.pass_on(Call("release", "model", "generation", "rollout", payload=release)).patches


def test_the_index_stays_behind_while_the_tower_goes_out(bench):
    assert rolled_out(bench) == {"model": {"two_tower": "tt-2", "ranker": "rk-2"}}


def test_out_of_scope_tower_and_index_go_out_together(bench):
    patches = rolled_out(bench, scope={"callee": "something else"})

    assert patches["retrieval"] == {"index_version": "ix-2"}
