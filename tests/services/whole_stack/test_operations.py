"""Operations on a whole stack: each really happens, is in the change log, and can be put back."""

from __future__ import annotations

import json

import pytest

from sandbox.base.config import Breaker, Config
from sandbox.base.errors import SandboxError
from sandbox.base.run import GRPC_PROCESSES
from sandbox.pipeline.rollout import Release
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations
from services.skeleton.seams import Seam
from tests.services.asking import query
from tests.services.waiting import wait_for

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def operations(stack):
    """Every setting is put back when these tests are done with the stack."""
    operations, before = Operations(stack.run), Config.load(stack.run.path)
    yield operations
    before.version = Config.load(stack.run.path).version + 1
    before.save(stack.run.path)
    operations.reload(GRPC_PROCESSES)


def act(operations, words):
    return Action.parse(words.split()).run(operations, "operator")


def changes(stack, key):
    """The rows of the change log for `key`, as soon as there are any."""
    sql = f"select old, new, actor from changes where key = '{key}' order by ts"
    found = wait_for(lambda: query(stack.run.lake, sql).rows, 6, f"a change of {key} in the lake")
    return [tuple(row) for row in found]


def test_another_path_is_in_force_at_once_and_in_the_change_log(stack, operations):
    record = act(operations, "path caller=ranking callee=features path=b")

    assert Config.load(stack.run.path).ranking.features.path == "b"
    assert record.effects == [
        'set service=ranking field=features value={"attempts": 2, "deadline_ms": 120.0, "path": "b"}'
    ]
    assert ("a", "b", "operator") in changes(stack, "features.path")


def test_a_revert_puts_back_exactly_what_the_change_changed(stack, operations):
    before = Config.load(stack.run.path).gateway.model_dump()
    record = act(operations, "deadline caller=gateway callee=rules ms=33")
    assert Config.load(stack.run.path).gateway.rules.deadline_ms == 33

    act(operations, f"revert change={record.n}")

    assert Config.load(stack.run.path).gateway.model_dump() == before


def test_a_breaker_is_in_force_at_once_and_can_be_put_back(stack, operations):
    before = Config.load(stack.run.path).gateway.model_dump()
    record = act(operations, "breaker caller=gateway callee=ranking switch=on open_s=2")

    assert Config.load(stack.run.path).gateway.ranking.breaker == Breaker(open_s=2)
    settings = "failed_share=0.5 least_calls=20 window_s=10 open_s=2 trial_calls=3"
    assert ("off", settings, "operator") in changes(stack, "ranking.breaker")
    act(operations, f"revert change={record.n}")
    assert Config.load(stack.run.path).gateway.model_dump() == before


def test_a_release_passes_through_its_wrappers_and_their_result_is_what_goes_out(stack, operations):
    release = Release("rules", "explore", "0.05", "deploy-bot", patches={"rules": {"explore_share": 0.05}})

    class Halved:
        def around_sync(self, call, proceed):
            call.payload = call.payload.patched("rules", "explore_share", 0.025)
            return proceed(call)

    stage = Seam("release")
    stage.put(Halved())
    record = operations.release(release, stage)

    assert Config.load(stack.run.path).rules.explore_share == 0.025
    assert (record.actor, record.new) == ("deploy-bot", "0.05")


def test_a_version_that_does_not_exist_is_refused_and_everything_stays(stack, operations):
    before = Config.load(stack.run.path).model.model_dump()

    with pytest.raises(SandboxError) as caught:
        act(operations, "promote artifact=ranker version=rk-99")

    assert caught.value.kind.code == "MODEL-001"
    assert Config.load(stack.run.path).model.model_dump() == before
    assert not any(r.arguments.get("version") == "rk-99" for r in operations.records())


@pytest.mark.parametrize(
    ("words", "code", "where"),
    [
        ("fly", "DRILL-005", "act"),
        ("path caller=ranking callee=features", "DRILL-007", "path"),
        ("path caller=ranking callee=moon path=b", "DRILL-007", "caller, callee"),
        ("path caller=ranking callee=features path=z", "DRILL-007", "path"),
        ("deadline caller=gateway callee=rules ms=soon", "DRILL-007", "ms"),
        ("deadline caller=gateway callee=rules ms=-4", "DRILL-007", "ms"),
        ("breaker caller=gateway callee=rules switch=on open_s=-1", "DRILL-007", "open_s"),
        ("restart service=moon", "DRILL-007", "service"),
        ("restart service=rules colour=red", "DRILL-007", "colour"),
        ("revert change=4711", "DRILL-007", "change"),
        ("disable-source source=moon", "DRILL-007", "source"),
    ],
)
def test_a_bad_action_says_what_is_wrong_and_changes_nothing(stack, operations, words, code, where):
    before, n = Config.load(stack.run.path), len(operations.records())

    with pytest.raises(SandboxError) as caught:
        act(operations, words)

    assert caught.value.kind.code == code
    assert where in caught.value.where
    assert Config.load(stack.run.path).model_dump(exclude={"version"}) == before.model_dump(exclude={"version"})
    assert len(operations.records()) == n


def test_a_preview_names_the_blast_radius_and_does_nothing(stack, operations):
    n = len(operations.records())

    preview = Action.parse(["disable-source", "source=ann"]).preview(operations)

    assert preview.touches == ["retrieval"]
    assert preview.reversible
    assert len(operations.records()) == n


def test_a_source_switched_off_gives_no_candidates_until_it_is_switched_on(stack, operations):
    act(operations, "disable-source source=ann")
    assert Config.load(stack.run.path).retrieval.disabled == ["ann"]

    act(operations, "enable-source source=ann")

    assert Config.load(stack.run.path).retrieval.disabled == []


def test_a_restart_gives_a_service_a_process_of_its_own_again(stack, operations):
    pid = {s["name"]: s["pid"] for s in stack.status()["services"]}["rules"]

    act(operations, "restart service=rules")

    after = {s["name"]: s for s in stack.status()["services"]}["rules"]
    assert after["pid"] != pid
    assert after["healthy"]


def test_a_line_cut_off_by_a_crash_loses_only_itself(stack, operations):
    n = len(operations.records())
    log = stack.run.path / "operations.jsonl"
    whole = log.read_text()
    log.write_text(whole + json.dumps({"n": 99})[:6])

    assert len(operations.records()) == n

    log.write_text(whole)


def test_how_many_lists_are_searched_is_set_reverted_and_checked(stack, operations):
    record = act(operations, "nprobe n=4")

    assert Config.load(stack.run.path).retrieval.nprobe == 4
    operations.revert(record.n, "operator")
    assert Config.load(stack.run.path).retrieval.nprobe is None
    for absurd in ("0", "2.5", "many"):
        with pytest.raises(SandboxError, match="DRILL-007"):
            act(operations, f"nprobe n={absurd}")


def test_a_rebuilt_index_is_of_the_active_encoder_and_is_what_is_searched(stack, operations):
    record = act(operations, "rebuild-index")

    version = Config.load(stack.run.path).retrieval.index_version
    assert record.new == version == "ix-r1"
    sql = f"select distinct encoder_version from index_stats where index_version = '{version}'"
    rows = wait_for(lambda: query(stack.run.lake, sql).rows, 10, "a sample of the new index")
    assert [list(row) for row in rows] == [[Config.load(stack.run.path).model.two_tower]]
