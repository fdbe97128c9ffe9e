"""The twin of a drill: what would have come of it without its faults, or had other things been done.

The arms run on the virtual backend from the drill's plan and journal, live drills too: for those the
figures are the virtual arms', and how far the virtual arm is from what was measured stands beside them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.play import drills
from sandbox.drill.play.deeds import ActionTaken, Played, played_of
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import first
from sandbox.drill.scenario.patterns import ActionPattern
from sandbox.drill.scenario.queries import sql_time
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin.arm_runs import RunArm
from sandbox.drill.twin.arms import ArmPlan, arms_of, seeds_of, step_ends
from sandbox.drill.twin.comparison import TwinResult, compared
from sandbox.telemetry.sql import SqlWorker

AFTER_S = 1800.0  # world seconds beyond the report: what was done shows only then
STEP_S = 900.0  # world seconds: reports that are filed at about one time share all arms but one

_FIGURES = ("requests", "p50_ms", "p99_ms", "degraded_share", "ctr")
_MEASURED = """
SELECT count(*), quantile_cont(latency_ms, 0.5), quantile_cont(latency_ms, 0.99), avg(degraded::INT),
       (SELECT count(DISTINCT event_id) FROM outcomes
        WHERE kind = 'click' AND event_ts >= {start} AND event_ts < {end})
       / (SELECT nullif(count(*), 0) FROM impressions WHERE ts >= {start} AND ts < {end})
FROM requests WHERE ts >= {start} AND ts < {end} AND client <> 'probe'
"""


@dataclass(frozen=True)
class Story:
    """A finished drill as the arms need it: the plan of what happened, and how it went."""

    plan: ArmPlan
    played: Played

    @property
    def onset_s(self) -> float | None:
        """By the scenario, at which the arms begin it; None where the fault was left out."""
        return self.plan.scenario.truth.onset_s if self.plan.faults else None

    @property
    def prompt_s(self) -> float:
        """From when on the harm could be averted by whoever had the evidence."""
        return max(self.plan.scenario.evidence_by_s, self.onset_s or 0.0)

    def arms(self, seed: int | None = None) -> dict[str, ArmPlan]:
        """seed: another than the drill's own."""
        return arms_of(self.plan if seed is None else replace(self.plan, seed=seed))


def told(scenario: Scenario, world: str, seed: int, faults: bool, played: Played, names_changes: bool = False) -> Story:
    """The story of a drill that went like that. names_changes: a `revert` says which change by target and
    key, for a run whose changes have other numbers. Raises DRILL-007 for an action that there is not."""
    horizon_s = math.ceil(max(scenario.evidence_by_s, played.filed_s) / STEP_S) * STEP_S + AFTER_S
    typed = tuple((a.at_s, _typed(a, names_changes)) for a in played.actions)
    return Story(ArmPlan(scenario, world, seed, faults, typed, horizon_s), played)


def compare(
    story: Story, n_seeds: int = 1, *, telemetry: Sequence[ArmPlan] = (), run: RunArm | None = None,
    workers: int = arm_runs.WORKERS, progress: ProgressFn = quiet,
) -> TwinResult:  # fmt: skip
    """Runs what arms are not known yet, and compares them. n_seeds: the drill's own and further ones.
    telemetry: runs that are wanted with their lakes besides.

    Raises CFG-001 for a number of seeds out of range, and what `arm_runs.run_all` raises.
    """
    if not 1 <= n_seeds <= 50:
        raise SandboxError("CFG-001", where="seeds", seen=n_seeds, expected="1 to 50", fix="choose fewer")
    seeds = seeds_of(story.plan.seed, n_seeds)
    plans = [story.arms(seed) for seed in seeds]
    done = arm_runs.run_all(
        [plan for arms in plans for plan in arms.values()],
        telemetry=telemetry,
        run=run,
        workers=workers,
        progress=progress,
    )
    ledgers = [{name: done[plan.key].ledger for name, plan in arms.items()} for arms in plans]
    return compared(
        ledgers, seeds, onset_s=story.onset_s, prompt_s=story.prompt_s,
        filed_s=story.played.filed_s, horizon_s=story.plan.until_s,
        step_ends=step_ends(len(story.plan.actions)),
    )  # fmt: skip


def _typed(action: ActionTaken, names_changes: bool) -> str:
    op, arguments = action.forms[0]
    known = dict(arguments)
    text = action.text
    if op == "revert" and names_changes and "target" in known and "key" in known:
        text = f"revert target={known['target']} key={known['key']}"
    try:
        ActionPattern.parse(text).require_known()
    except ValueError as error:
        raise SandboxError(
            "DRILL-007",
            where=f"the drill's journal, action at {action.at_s:.0f} s",
            seen=text,
            expected=str(error),
            fix="the journal is damaged, or of another version: run the drill again",
        ) from error
    return text


# -- finished drills ---------------------------------------------------------------------------


def find(run: str, where: str = "sandbox twin") -> Drill:
    """The drill meant: a run directory, the name of one under SANDBOX_HOME/runs, or a drill's own name.
    Raises DRILL-006 for none, CFG-003 for one of another format. where: who asks."""
    for directory in (Path(run), paths.runs() / run):
        if directory.is_dir() and (directory / "drill.json").exists():
            return drills.of_run(directory)
    drill = Drill(drills.root() / Path(run).name)
    try:
        _ = drill.plan
    except (OSError, ValueError) as error:
        raise SandboxError(
            "DRILL-006",
            where=where,
            seen=run,
            expected="the run directory of a drill that is over",
            fix="name the run directory that `sandbox drill start` printed; or start a drill: sandbox drill start NAME",
        ) from error
    return drill


def story_of(drill: Drill) -> tuple[Story, list[str]]:
    """What happened in a drill that is over, and what is to be said about the journal it comes from.

    Raises DRILL-006 while it runs and for one that never began, CFG-003 for one of another format.
    """
    plan, entries = drill.plan, drill.entries()
    filed = first(entries, "report")
    if drill.began() is None or (filed is None and drills.running_on(Path(plan.run_dir))):
        raise SandboxError(
            "DRILL-006",
            where="sandbox twin",
            seen=f"phase {drill.phase}",
            expected="a drill that is over",
            fix="hand a report in first: sandbox drill report",
        )
    notices = []
    if filed is None:
        notices.append("no report was handed in: the drill counts as over at the journal's last entry")
    if lost := drill.journal.damaged():
        notices.append(f"{lost} line(s) of the journal were cut off: what they said is left out")
    played = played_of(drill.scenario, entries)
    return told(
        drill.scenario, plan.world, plan.seed, plan.faults, played, names_changes=plan.backend == "live"
    ), notices


def document(drill: Drill, n_seeds: int, progress: ProgressFn, run: RunArm | None = None) -> dict[str, Any]:
    """The document of `sandbox twin RUN --json`: see TwinResult, and `calibration` for a live drill."""
    story, notices = story_of(drill)
    result = compare(story, n_seeds, run=run, progress=progress)
    told = result.document(drill.plan.run_dir)
    if drill.plan.backend == "live":
        told["calibration"] = calibration(drill, story, run)
        if told["calibration"] is None:
            notices.append("the live run's lake is gone: the virtual run cannot be held against it")
    return {**told, "notices": notices}


def calibration(drill: Drill, story: Story, run: RunArm | None = None) -> dict[str, Any] | None:
    """How far the virtual run of what happened is from the live one, from the drill's beginning to the
    report: {figure: {live, virtual, relative}}. None where the lake is gone."""
    lake = Path(drill.plan.run_dir) / "lake"
    if not lake.is_dir():
        return None
    played = story.played
    with SqlWorker(lake) as worker:
        try:
            row = worker.query(
                _MEASURED.format(start=sql_time(played.began_ts), end=sql_time(played.began_ts + played.filed_s))
            ).rows[0]
        except SandboxError:
            return None
    finished = arm_runs.run_all([story.plan], run=run, workers=1)[story.plan.key]
    began_ts = finished.ledger.began_ts
    r = finished.ledger.between(began_ts, began_ts + played.filed_s).requests
    if not len(r.ts) or not row[0]:
        return None
    p50, p99 = np.percentile(r.latency_ms, (50, 99))
    virtual = (len(r.ts), p50, p99, r.degraded.mean(), r.clicks.sum() / max(1, r.n_items.sum()))
    return {
        name: {"live": live, "virtual": float(v), "relative": float(v) / live - 1.0 if live else None}
        for name, live, v in zip(_FIGURES, row, virtual, strict=True)
    }
