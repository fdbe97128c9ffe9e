"""The guard of a canary: puts it in, looks at the lake until its analysis ends, and takes it out again.

Whatever ends the guard ends the canary: a fail at the next look, Ctrl-C at once, and a guard that is killed by the
time that the canary's own setting gives it (`until_ts`): then the live version answers everybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from sandbox.base.config import Canary, Config
from sandbox.base.errors import SandboxError
from sandbox.base.rows import row_of
from sandbox.pipeline.analysis import Analysis, Plan, Seen, Step, look
from sandbox.pipeline.verdict import Finding, Judgement, Metric, errored, judge
from sandbox.runtime.operate.canary_sums import METRICS, sums
from sandbox.runtime.operate.operations import Operations
from sandbox.runtime.operate.staging import Wish, move
from sandbox.telemetry.lake import Lake

ACTOR = "canary-guard"
ENDS = ("fail", "pass", "hold")  # in which the judgement is about the canary
LEAST_USERS = 30  # in each arm, before a pass is one
_NAP_S = 0.5  # between two looks at the clock, wall seconds: Ctrl-C need not wait for a look

Tell = Callable[[Analysis, Step, Judgement], None]


@dataclass(frozen=True)
class Outcome:
    """step: how it ended. judgement: the last one. promoted: whether the canary is live now."""

    analysis: Analysis
    step: Step
    judgement: Judgement
    promoted: bool

    def document(self) -> dict[str, Any]:
        return {
            "version": self.analysis.canary, "baseline": self.analysis.live, "ended": self.step,
            "promoted": self.promoted, "looks": self.analysis.looks, "restarts": self.analysis.restarts,
            **self.judgement.document(), "verdict": self.step if self.step in ("pass", "fail") else "hold",
        }  # fmt: skip


def watch(
    operations: Operations, wish: Wish, plan: Plan, *, promote: bool = False, tell: Tell = lambda *_: None,
    metrics: Sequence[Metric] = METRICS, nap: Callable[[float], None] = time.sleep,
) -> Outcome:  # fmt: skip
    """Rolls a canary out and watches it to its end. wish: the move to the stage `canary`, with its settings, of which
    `until_ts` is set here. promote: makes it live on a pass, if the live version is still the one it was compared with.

    nap: waits so many wall seconds. Raises what `staging.move` raises; then there is no canary.
    """
    assert wish.canary is not None
    platform, run = operations.platform, operations.run
    now = Analysis(wish.version, Config.load(run.path).model.ranker, platform.now())
    until_ts = now.began_ts + plan.length_s + 2 * plan.every_s
    judgement: Judgement = Judgement("hold", "its guard was interrupted", (0, 0))
    step: Step = "go on"
    promoted = False
    canary = wish.canary.model_copy(update={"until_ts": until_ts})
    try:  # around the move too: Ctrl-C may come while services switch
        move(operations, replace(wish, canary=canary))
        lake, next_ts = Lake(run.lake), now.began_ts
        while step in ("go on", "restart"):
            next_ts += plan.every_s
            while (left_s := (next_ts - platform.now()) / run.speed) > 0:
                nap(min(left_s, _NAP_S))
            config = Config.load(run.path)
            judgement = _judged(lake, config.model.canary, now, plan, metrics)
            _record(operations, now, judgement)
            there = config.model.canary.version if config.model.canary is not None else None
            now, step = look(now, Seen(platform.now(), there, config.model.ranker, judgement), plan)
            tell(now, step, judgement)
        if step == "pass" and promote:
            move(operations, Wish("ranker", now.canary, "live", now.live, ACTOR, judgement.why, judgement.document()))
            promoted = True
    finally:
        there_now = Config.load(run.path).model.canary
        ours = there_now is not None and (there_now == canary or now.restarts > 0)
        if ours and not promoted:
            _take_back(operations, now.canary, judgement if step in ENDS else replace(judgement, verdict="hold"))
    return Outcome(now, step, judgement, promoted)


def _judged(lake: Lake, canary: Canary | None, now: Analysis, plan: Plan, metrics: Sequence[Metric]) -> Judgement:
    if canary is None:
        return errored("there is no canary any more")
    try:
        baseline, of_canary, users = sums(lake, canary, now.began_ts)
    except (SandboxError, duckdb.Error, OSError) as error:
        return errored(str(error).splitlines()[0][:200])
    return judge(metrics, baseline, of_canary, users=users, looks=plan.looks, least_users=LEAST_USERS)


def _record(operations: Operations, now: Analysis, judgement: Judgement) -> None:
    """Rows of rollout_checks: one for each metric, one for all of them."""
    whole = Finding("all", judgement.verdict, judgement.why)
    operations.platform.rows("rollout_checks", [
        row_of.rollout_checks(
            ts=operations.platform.now(), version=now.canary, baseline=now.live, metric=found.metric,
            verdict=found.verdict, baseline_value=found.baseline, canary_value=found.canary, p_worse=found.p_worse,
            harm=found.harm, harm_most=found.harm_most, n_baseline=judgement.users[0], n_canary=judgement.users[1],
            why=found.why,
        )
        for found in (*judgement.findings, whole)
    ])  # fmt: skip


def _take_back(operations: Operations, version: str, judgement: Judgement) -> None:
    """Everybody is the live version's again. Somebody else may have seen to it already."""
    try:
        move(operations, Wish("ranker", version, "candidate", None, ACTOR, judgement.why, judgement.document()))
    except SandboxError as error:
        if error.kind.code != "MODEL-007":
            raise
