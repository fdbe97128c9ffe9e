"""Runs of a toy: 300 users, one request every 5 world seconds, clicks by draws that all arms share.

From onset on, and until an accepted action, clicks halve, answers take 80 ms longer and a third of the
visits end badly. Restarting redis, which the scenario penalises, stops all clicks for ten minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sandbox.base.streams import uniforms
from sandbox.drill.play.deeds import ActionTaken
from sandbox.drill.scenario.patterns import parse_action
from sandbox.drill.twin.arms import ArmPlan
from sandbox.virtual.people.ledger import Ledger, LedgerBook

BEGAN = 1_000_000.0
USERS = 300
EVERY_S = 5.0


def toy_run(plan: ArmPlan, run_dir: Path, telemetry: bool) -> Ledger:
    """Of the form that `arm_runs.run_all` takes."""
    at_s = np.arange(0.0, plan.until_s, EVERY_S)
    n = np.arange(len(at_s))
    user = (uniforms(plan.seed, "who", n) * USERS).astype(np.int64)
    onset_s = plan.scenario.truth.onset_s if plan.faults else None
    sick = np.zeros(len(n), bool) if onset_s is None else at_s >= onset_s
    dead = np.zeros(len(n), bool)
    for done_s, text in plan.actions:
        action = ActionTaken.of(done_s, *parse_action(text))
        if action.is_one_of(plan.scenario.accept):
            sick &= at_s < done_s
        if text == "restart service=redis":
            dead |= (at_s >= done_s) & (at_s < done_s + 600)
    taste = 0.5 + 0.4 * uniforms(plan.seed, "taste", user)
    clicks = np.where(dead, 0, uniforms(plan.seed, "click", n) < taste * np.where(sick, 0.5, 1.0))
    book = LedgerBook(BEGAN)
    book.add_requests(
        ts=BEGAN + at_s, user=user, session=n, depth=np.ones(len(n)), region=user % 3,
        segment=user % 4 - 1, latency_ms=20 + 30 * uniforms(plan.seed, "ms", n) + 80 * sick,
        degraded=sick, n_items=np.full(len(n), 10), clicks=clicks, conversions=clicks * (n % 7 == 0),
        revenue=clicks * (n % 7 == 0) * 2.5, breaches=np.zeros(len(n)), shown_b=3 + n % 2,
    )  # fmt: skip
    unhappy = sick & (uniforms(plan.seed, "mood", n) < 1 / 3)
    book.add_visits(
        ts=BEGAN + at_s,
        user=user,
        session=n,
        satisfaction=np.where(unhappy, 0.2, 0.8),
        lost=np.where(unhappy, 0.5, 0.1),
    )
    return book.closed()
