"""Canaries and shadows of a virtual stack: taken back by themselves, seen in the lake, and the same every time."""

from __future__ import annotations

from sandbox.base import artefacts
from sandbox.base.config import Canary, Config, Shadow
from sandbox.pipeline.analysis import Plan
from sandbox.runtime.operate.staging import Wish, move
from sandbox.telemetry.hash import lake_hash
from sandbox.telemetry.sql import query
from sandbox.virtual.guarded import watch
from sandbox.virtual.stack import VirtualStack
from services.ranking.core import INPUTS
from tests.services.artefacts import ranker

PLAN = Plan(length_s=1_200, every_s=300)


def stack_with(run_dir, *, fits):
    """With rk-2: rk-1 once more, or one that takes other columns than the contract makes."""
    stack = VirtualStack("tiny", run_dir, seed=3, rate_per_s=20)
    registry, first = stack.run.registries[0], artefacts.find(stack.run.registries, "ranker", "rk-1")
    if fits:
        named = first.manifest.model_copy(update={"version": "rk-2"})
        artefacts.register(registry, named, {name: first.read(name) for name in named.files})
    else:
        ranker(registry, "rk-2", inputs=INPUTS[:-1])
    return stack


def watched(run_dir, *, fits):
    stack = stack_with(run_dir, fits=fits)
    canary = Canary(version="rk-2", share=0.4, salt="one", until_ts=0.0)
    return stack, watch(stack, Wish("ranker", "rk-2", "canary", None, "operator", canary=canary), PLAN, promote=True)


def test_a_canary_that_no_contract_fits_is_taken_back_at_a_look_and_every_run_is_the_same(home, tmp_path):
    stack, outcome = watched(tmp_path / "a", fits=False)

    assert (outcome.step, outcome.promoted) == ("fail", False)
    assert "fallbacks" in outcome.judgement.why
    assert stack.now() < stack.began_ts + PLAN.length_s
    assert Config.load(stack.run_dir).model.canary is None
    before = len(stack.ledger.requests.ts)
    stack.advance(stack.now() + 300)
    stack.flush()
    after = f"SELECT count(*), count(*) FILTER (fallback LIKE '%ranking%') FROM requests WHERE epoch(ts) > {stack.now() - 240}"
    ((n, fell),) = query(stack.run.lake, after).rows
    assert (n > 20, fell) == (True, 0)
    assert len(stack.ledger.requests.ts) > before
    moves = query(stack.run.lake, "SELECT from_stage, to_stage, actor FROM stage_changes ORDER BY ts").rows
    assert moves == [["candidate", "canary", "operator"], ["canary", "candidate", "canary-guard"]]
    verdicts = query(stack.run.lake, "SELECT verdict FROM rollout_checks WHERE metric = 'all' ORDER BY ts").rows
    assert verdicts[-1] == ["fail"]

    again, _ = watched(tmp_path / "b", fits=False)
    again.advance(again.now() + 300)
    again.flush()
    assert lake_hash(again.run.lake) == lake_hash(stack.run.lake)


def test_a_canary_of_which_too_little_is_known_holds_and_is_not_promoted(home, tmp_path):
    stack, outcome = watched(tmp_path, fits=True)

    assert (outcome.step, outcome.promoted) == ("hold", False)
    model = Config.load(stack.run_dir).model
    assert (model.ranker, model.canary) == ("rk-1", None)
    served = {v for (v,) in query(stack.run.lake, "SELECT DISTINCT model_version FROM requests").rows}
    assert served == {"rk-1", "rk-2"}


def test_a_shadow_puts_nothing_on_anybodys_page(home, tmp_path):
    plain, shadowed = (stack_with(tmp_path / name, fits=True) for name in ("plain", "shadowed"))
    move(
        shadowed.operations,
        Wish("ranker", "rk-2", "shadow", None, "operator", shadow=Shadow(version="rk-2", share=0.5)),
    )
    for stack in (plain, shadowed):
        stack.advance(stack.began_ts + 900)
        stack.flush()

    assert len(plain.ledger.requests.ts) > 60
    shown = "SELECT request_id, position, item_id FROM impressions"
    seen, other = ({tuple(row) for row in query(stack.run.lake, shown).rows} for stack in (plain, shadowed))
    assert len(seen & other) > 0.8 * len(seen | other), "it takes a core as any program, and times move by milliseconds"
    by = "SELECT DISTINCT model_version FROM requests ORDER BY 1"
    assert query(shadowed.run.lake, by).rows == query(plain.run.lake, by).rows == [["rk-1"]]
    sql = "SELECT count(*), min(overlap_10), count(*) FILTER (status <> 'OK') FROM shadow_scores"
    ((n, overlap, failed),) = query(shadowed.run.lake, sql).rows
    assert (n > 20, overlap, failed) == (True, 1.0, 0)
