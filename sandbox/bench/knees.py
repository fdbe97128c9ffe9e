"""The largest rate that each of two stacks bears, searched for in turns, the load generator on the same cores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loadtest.lab import knee_run
from loadtest.lab.knee import Search, Trial, knee
from loadtest.lab.measure import measure
from loadtest.lab.outcome import Run
from loadtest.lab.plan import Plan
from loadtest.lab.slo import Slo
from sandbox.base.progress import ProgressFn
from sandbox.base.run import RunInfo
from sandbox.bench.checkout import HeldStack
from sandbox.bench.turns import Interval

SLO = Slo.of("p99<150ms")
SEARCH = Search(start=10.0, lowest=1.0, highest=500.0)
TRIAL_S = 15.0  # wall seconds of each load, a fifth of which does not count


@dataclass
class Found:
    """Of one stack: its trials, and of each the share of answers for which a stage was left out, None without answers."""

    trials: list[Trial] = field(default_factory=list)
    degraded: list[float | None] = field(default_factory=list)

    def document(self, seed: int) -> dict[str, Any]:
        points = [
            {**trial.document(), "degraded_share": share}
            for trial, share in zip(self.trials, self.degraded, strict=True)
        ]
        return {**knee(self.trials, SLO, seed), "points": points}


def search(stacks: list[HeldStack], seed: int, progress: ProgressFn) -> tuple[dict[str, Found], bool]:
    """By stack, and whether a Ctrl-C ended it early. A trial of one, then of the other; who has none is paused. The n-th
    trials of all have the same seed."""
    found = {stack.name: Found() for stack in stacks}
    waiting = list(stacks)
    for stack in stacks:
        stack.pause()
    while waiting:
        for stack in list(waiting):
            mine = found[stack.name]
            rate = SEARCH.next(mine.trials)
            if rate is None:
                waiting.remove(stack)
                continue
            progress(f"the largest rate of {stack.name}, trial {len(mine.trials) + 1}: {rate:.3g} requests/s", None)
            run = _loaded(stack, Plan("poisson", rate, TRIAL_S, seed + len(mine.trials)))
            if run.interrupted:
                return found, True
            mine.trials.append(knee_run.judged(run, SLO, rate))
            answered = run.requests.only(run.requests.ok)
            mine.degraded.append(float(answered.fallback.mean()) if len(answered) else None)
    return found, False


def _loaded(stack: HeldStack, plan: Plan) -> Run:
    stack.resume()
    try:
        return measure(RunInfo.load(stack.run_dir), plan, telemetry=False)
    finally:
        stack.pause()


def ratio(above: dict[str, Any], below: dict[str, Any]) -> Interval | None:
    """Of two knees as `loadtest.lab.knee` tells them, with the widest interval that theirs allow; None where one has no rate,
    no interval where one has no end. Pure."""
    if above["rate"] is None or not below["rate"]:
        return None
    ends = (above["low"], above["high"], below["low"], below["high"])
    if any(not end for end in ends):
        return Interval(above["rate"] / below["rate"], None, None)
    return Interval(above["rate"] / below["rate"], above["low"] / below["high"], above["high"] / below["low"])
