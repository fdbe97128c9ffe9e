from sandbox.pipeline.rollout import Release
from services.skeleton.seams import Call

COLUMNS = ["a.x", "item_stats.ctr_28d", "item_stats.hide_rate", "b.y"]


def rolled_out(bench, key="contract", **params):
    release = Release("ranking", "feature_contract", "fc-2", "deploy-bot",
                      patches={"ranking": {"contract": COLUMNS, "contract_version": "fc-2"}})  # fmt: skip
    armed = bench(fault="feature-contract-break", params=params, scope={"callee": key})
    return armed.pass_on(Call("release", "ranking", "contract", "rollout", payload=release))


LISTED = ("item_stats.ctr_28d", "item_stats.hide_rate")


def test_permuted_columns_take_each_others_place(bench):
    columns = rolled_out(bench, mode="permuted", features=LISTED).patches["ranking"]["contract"]

    assert columns == ["a.x", "item_stats.hide_rate", "item_stats.ctr_28d", "b.y"]


def test_columns_that_were_not_onboarded_are_missing(bench):
    columns = rolled_out(bench, mode="not_onboarded", features=LISTED).patches["ranking"]["contract"]

    assert columns == ["a.x", "b.y"]


def test_the_release_keeps_its_version_and_everything_else(bench):
    released = rolled_out(bench, features=LISTED)

    assert released.patches["ranking"]["contract_version"] == "fc-2"
    assert (released.new, released.actor) == ("fc-2", "deploy-bot")


def test_a_release_out_of_scope_passes_unchanged(bench):
    assert rolled_out(bench, key="other", features=LISTED).patches["ranking"]["contract"] == COLUMNS
