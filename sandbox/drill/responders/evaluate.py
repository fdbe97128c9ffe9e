"""`sandbox evaluate`: responders over scenarios and seeds, with intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from scipy.special import stdtrit

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.responders.host import Opener
from sandbox.drill.responders.trials import Outcome, Trial, play_all
from sandbox.drill.scenario import library
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.twin.arms import seeds_of

TIMEOUT_S = 120.0  # wall; a drill of two world hours takes some seconds
MOST_SEEDS = 100


def scenarios_of(names: Sequence[str]) -> list[Scenario]:
    """Those scenarios, each once; `all` stands for the core pack and what can be played of
    packs of one's own. Raises DRILL-001, DRILL-002."""
    pack = library.shelf().scenarios
    wanted = [one for name in names for one in (pack.values() if name == "all" else [library.named(name)])]
    return list({s.id: s for s in wanted}.values())


def evaluate(
    responders: Sequence[str], scenarios: Sequence[Scenario], n_seeds: int, *, world: str | None = None,
    faults: bool = True, timeout_s: float = TIMEOUT_S, workers: int = 2, opener: Opener | None = None,
    progress: ProgressFn = quiet,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row for each scenario and responder: {scenario, responder, score, low, high, seeds, note}.

    responders: as responders.registry.checked returns them. n_seeds: the scenario's own and those that
    follow from it. timeout_s: wall seconds that a responder has for a drill. Raises CFG-001 as `require` does.
    """
    require(n_seeds, timeout_s)
    trials = [
        Trial(scenario, responder, seed, world, faults)
        for scenario in scenarios
        for seed in seeds_of(scenario.seed, n_seeds)
        for responder in responders
    ]
    return rows_of(play_all(trials, timeout_s=timeout_s, workers=workers, opener=opener, progress=progress))


def require(n_seeds: int, timeout_s: float) -> None:
    """Raises CFG-001 for a number out of range."""
    if not 1 <= n_seeds <= MOST_SEEDS:
        raise _out_of_range("--seeds", n_seeds, f"1 to {MOST_SEEDS}")
    if not 0 < timeout_s < math.inf:
        raise _out_of_range("--timeout", timeout_s, "above 0, wall seconds")


def rows_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Outcomes by scenario and responder, in the order of their first. note: of the first that has one."""
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.trial.scenario.id, outcome.trial.responder].append(outcome)
    rows = []
    for (scenario, responder), members in groups.items():
        scores = [o.score for o in members]
        low, high = interval(scores)
        rows.append({
            "scenario": scenario, "responder": responder, "score": round(math.fsum(scores) / len(scores), 4),
            "low": round(low, 4), "high": round(high, 4), "seeds": len(scores),
            "note": next((o.note for o in members if o.note), ""),
        })  # fmt: skip
    return rows


def interval(scores: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean over seeds, within 0..1. One seed says nothing about the others: 0 to 1.

    Source: Student's t on the scores of independent seeds.
    """
    n = len(scores)
    if n < 2:
        return 0.0, 1.0
    mean = math.fsum(scores) / n
    error = math.sqrt(math.fsum((s - mean) ** 2 for s in scores) / (n - 1) / n)
    reach = float(stdtrit(n - 1, 0.975)) * error
    return max(0.0, mean - reach), min(1.0, mean + reach)


def _out_of_range(where: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-001", where=f"sandbox evaluate, {where}", seen=seen, expected=expected, fix="choose a number in that range"
    )
