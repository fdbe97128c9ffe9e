"""A scenario before anybody plays it: its healthy and its broken day side by side, nobody acting."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sandbox.base.progress import ProgressFn
from sandbox.drill.authoring import days
from sandbox.drill.debrief.curves import Curves
from sandbox.drill.scenario.harms import METRICS, UNITS
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin.arms import ArmPlan
from sandbox.drill.twin.harm import per_minute
from sandbox.runtime.building import ensure_built

HEALTHY, BROKEN = "healthy", "broken"
_BINS = 90  # points of a curve
_MEANS = ("p99_ms", "exposure_gap")  # what is no sum over minutes, as in debrief.curves
_CELL = 200  # characters of a text in an answer


@dataclass(frozen=True)
class _Days:
    """Per world minute of both days, in each metric: float64 [minutes]."""

    minutes: np.ndarray
    healthy: dict[str, np.ndarray]
    broken: dict[str, np.ndarray]


def document(scenario: Scenario, progress: ProgressFn) -> dict[str, Any]:
    """{scenario, world, marks, curves, evidence}: `marks` [(minute, name)]; of each metric a curve {metric, unit, sums,
    each, minutes, healthy, broken}, sums or means of `each` world minutes, the one that tells the days apart best first; the
    evidence as `sandbox scenario show --run --json`. Runs are the twin's: what a proof needs too is run once.

    Raises WORLD-*, MODEL-*, RUN-*."""
    ensure_built(scenario.world, progress)
    evidence = days.document(scenario, scenario.world, progress)
    asked = scenario.placed(scenario.seed)
    broken = ArmPlan(asked, scenario.world, scenario.seed, True, (), asked.evidence_by_s)
    plans = {BROKEN: broken, HEALTHY: replace(broken, faults=False)}
    runs = arm_runs.run_all(list(plans.values()), progress=progress)  # kept since a moment ago
    ledgers = {day: runs[plan.key].ledger for day, plan in plans.items()}
    began, until_s = ledgers[BROKEN].began_ts, asked.evidence_by_s
    found = {day: per_minute(ledger, began, began + until_s) for day, ledger in ledgers.items()}
    n = len(found[BROKEN][METRICS[0]])
    onset_s = asked.truth.onset_s
    marks = [(onset_s, "onset"), (asked.pager.at_s, "page at the latest"), (asked.evidence_by_s, "due: the evidence")]
    return {
        "scenario": scenario.id, "title": scenario.title, "world": scenario.world,
        "marks": [[round(at_s / 60, 1), name] for at_s, name in marks if at_s is not None],
        "curves": curves(_Days(np.arange(n), found[HEALTHY], found[BROKEN]), (onset_s or 0.0) / 60),
        "evidence": [_short(row) for row in evidence],
    }  # fmt: skip


def curves(seen: _Days, since_minute: float) -> list[dict[str, Any]]:
    """Of all metrics, the one first that tells the days apart best since that minute."""
    found = []
    for metric in METRICS:
        lines = {HEALTHY: seen.healthy[metric], BROKEN: seen.broken[metric]}
        binned = Curves(metric, seen.minutes, lines).binned(_BINS)
        found.append((_apart(lines, seen.minutes >= since_minute), {
            "metric": metric, "unit": UNITS[metric], "sums": metric not in _MEANS, "each": binned.size, "minutes": binned.minutes.tolist(),
            **{day: [round(float(value), 4) for value in line] for day, line in binned.lines.items()},
        }))  # fmt: skip
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])]


def _apart(lines: dict[str, np.ndarray], since: np.ndarray) -> float:
    """How far the days lie apart, in standard deviations of a healthy minute."""
    healthy, difference = lines[HEALTHY], (lines[BROKEN] - lines[HEALTHY])[since]
    difference, usual = difference[np.isfinite(difference)], healthy[np.isfinite(healthy)]
    if not len(difference) or not len(usual):
        return 0.0
    far = abs(float(difference.mean()))
    spread = float(usual.std())
    return far / spread if spread > 0 else math.inf if far > 0 else 0.0


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """The row with long texts cut, and only what JSON has."""
    return {key: {**value, "rows": [[_cell(v) for v in r] for r in value["rows"]]} if isinstance(value, dict) else value
            for key, value in row.items()}  # fmt: skip


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)[:_CELL]
