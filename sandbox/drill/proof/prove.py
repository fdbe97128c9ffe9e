"""`sandbox scenario prove`: is a scenario true, solvable and fair? Measured on the virtual backend.

Beside the incident, with nobody acting, run its own day without the faults, further healthy days, the same
timeline with a look-alike in place of the fault, and the incident with each of several actions at onset. Then
all responders play it. Runs are those of the twin: what a drill or another proof needs too is run once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from faults.catalogue import CATALOGUE
from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.grading.bearing import bears_on_any
from sandbox.drill.grading.evidence import Day, irrelevant, strength
from sandbox.drill.play.report import Statement
from sandbox.drill.proof import signals, standout
from sandbox.drill.proof.alternatives import alternatives, averted
from sandbox.drill.proof.consistency import contradictions
from sandbox.drill.proof.proof import HARM_Z, Proof
from sandbox.drill.responders.evaluate import require, rows_of
from sandbox.drill.responders.host import Opener
from sandbox.drill.responders.registry import GOLD, SHIPPED
from sandbox.drill.responders.trials import Trial, play_all
from sandbox.drill.scenario import library, lookalikes
from sandbox.drill.scenario.predicate import Predicate, PredicateError
from sandbox.drill.scenario.queries import filled, first_row
from sandbox.drill.scenario.scenario import Evidence, Scenario
from sandbox.drill.twin.arm_runs import Finished, RunArm, run_all
from sandbox.drill.twin.arms import AT_ONCE_S, ArmPlan, other_healthy, seeds_of
from sandbox.drill.twin.story import STEP_S
from sandbox.telemetry.sql import SqlWorker

OTHER_DAYS = 4  # healthy, beside the incident's own

PATIENCE_S = 1200.0  # wall, for a responder's drill: on a busy machine a drill of seconds takes minutes

Answer = tuple[list[str], list[list[Any]]]
Found = dict[str, Finished]


def prove(
    scenario: Scenario, *, world: str | None = None, n_seeds: int = 1, timeout_s: float = PATIENCE_S,
    quick: bool = False, run: RunArm | None = None, opener: Opener | None = None, workers: int = 2,
    progress: ProgressFn = quiet,
) -> Proof:  # fmt: skip
    """Everything that can be found out about a scenario. n_seeds: for the responders. quick: harm, evidence,
    claims and actions only, without look-alikes and responders.

    run, opener: stand-ins for the virtual backend. Raises what a run or a drill raises.
    """
    require(n_seeds, timeout_s)
    asked, scenario = scenario, scenario.placed(scenario.seed)
    pack = tuple(library.load_all().values())
    runs = _Runs(scenario, world or scenario.world, pack, quick)
    plans, lakes = [*runs.days, *runs.acted.values()], [*runs.days, *runs.strange_days]
    trials = [] if quick else [
        *(Trial(asked, responder, seed, world) for seed in seeds_of(asked.seed, n_seeds) for responder in SHIPPED),
        Trial(asked, GOLD, asked.seed, world, faults=False),
    ]  # fmt: skip
    played = play_all(
        trials, timeout_s=timeout_s, workers=workers, opener=opener, also=(plans, lakes),
        progress=_named("responders play it", progress),
    )  # fmt: skip
    done = run_all(
        plans, telemetry=lakes, run=run, workers=workers,
        progress=_named("the incident, healthy days, actions", progress),
    )  # fmt: skip
    days = [_Seen(done[plan.key], plan) for plan in runs.days]
    since_s = _since(scenario)
    harms = _harms(days, since_s)
    first = signals.first_signal(days[0].shown, [day.shown for day in days[1:]], days[0].began + since_s)
    proof = partial(
        Proof, asked, harms, first, _evidence(scenario, days, runs, done), runs.not_run,
        claims=_claims(done[runs.incident.key], runs.incident),
        averted=_averted(harms, runs, done, days, since_s), contradictions=contradictions(asked, pack),
    )  # fmt: skip
    if quick:
        return proof()
    *played, quiet = played
    rows = rows_of(played)
    stopped = {row["responder"]: row["note"] for row in rows if row["note"]}
    if quiet.note:
        stopped[f"{GOLD} without the fault"] = quiet.note
    return proof({row["responder"]: row["score"] for row in rows}, round(quiet.score, 4), stopped=stopped)


class _Runs:
    """The plans of a proof. strange: look-alike -> the run with it, and its own healthy day. not_run: why a
    look-alike is not among them. acted: action -> the incident with it at onset, the best response first."""

    def __init__(self, scenario: Scenario, world: str, pack: Sequence[Scenario], quick: bool) -> None:
        until_s = math.ceil(scenario.evidence_by_s / STEP_S) * STEP_S
        self.incident = incident = ArmPlan(scenario, world, scenario.seed, True, (), until_s)
        self.days = [incident, replace(incident, faults=False), *other_healthy(incident, OTHER_DAYS)]
        others = lookalikes.runnable(scenario, pack) if scenario.truth.incident else {}
        self.strange: dict[str, tuple[ArmPlan, ArmPlan]] = {}
        for name, donor in ({} if quick else others).items():
            plan = replace(incident, scenario=lookalikes.variant(scenario, donor.step))
            self.strange[name] = (plan, replace(plan, faults=False))
        self.not_run = {
            name: _why_not(name, name in others) for name in scenario.look_alikes if name not in self.strange
        }
        self.acted = self._acted(scenario) if scenario.truth.incident else {}

    @property
    def strange_days(self) -> list[ArmPlan]:
        return [plan for pair in self.strange.values() for plan in pair]

    def _acted(self, scenario: Scenario) -> dict[str, ArmPlan]:
        best = tuple((at_s + AT_ONCE_S, text) for at_s, text in scenario.best_response)
        acted = {" and ".join(text for _, text in best): best}
        at_s = max(at_s for at_s, _ in best)
        acted |= {text: ((at_s, text),) for text in alternatives(scenario) if text not in acted}
        until_s = scenario.evidence_by_s  # nothing later is looked at, and no lake is kept for others
        return {text: replace(self.incident, actions=done, until_s=until_s) for text, done in acted.items()}


def _why_not(look_alike: str, runnable: bool) -> str:
    if runnable:
        return "left out of a quick proof"
    return "no scenario arms it" if look_alike in CATALOGUE else "no such fault in the catalogue yet"


class _Seen:
    """A run that is done, and all that is asked of its lake, asked at once."""

    def __init__(self, done: Finished, plan: ArmPlan) -> None:
        self.ledger, scenario = done.ledger, plan.scenario
        self.began = done.ledger.began_ts
        self.times = _times(done, plan, scenario.evidence_by_s)
        self._answers: dict[str, Answer | SandboxError] = {}
        with _lake(done, self.times["now"]) as worker:
            for sql in (signals.METRICS_SQL, signals.ALERTS_SQL):
                answer = worker.query(sql, max_rows=1_000_000)
                self._answers[sql] = answer.columns, answer.rows
            for evidence in scenario.evidence:
                sql = filled(evidence.sql, self.times)
                try:
                    answer = worker.query(sql)
                    self._answers[sql] = answer.columns, answer.rows
                except SandboxError as error:
                    self._answers[sql] = error
        self.day = Day(self.ask, self.times)

    def ask(self, sql: str) -> Answer:
        answer = self._answers[sql]
        if isinstance(answer, SandboxError):
            raise answer
        return answer

    @property
    def shown(self) -> signals.Shown:
        metrics = self.ask(signals.METRICS_SQL)[1]
        alerts = self.ask(signals.ALERTS_SQL)[1]
        return signals.Shown(
            [(float(ts), str(name), str(label), float(value)) for ts, name, label, value in metrics],
            [(float(ts), str(rule)) for ts, rule in alerts],
        )

    def told(self, evidence: Evidence) -> tuple[bool, str]:
        """Whether its predicate holds, and what the answer was."""
        return _verdict(evidence.predicate, lambda: self.ask(filled(evidence.sql, self.times)))


def _lake(done: Finished, until_ts: float) -> SqlWorker:
    assert done.run_dir is not None
    return SqlWorker(done.run_dir / "lake", until_ts=until_ts)


def _times(done: Finished, plan: ArmPlan, now_s: float) -> dict[str, float]:
    began = done.ledger.began_ts
    return {"began": began, "paged": began + plan.scenario.pager.at_s, "now": began + now_s}


def _verdict(predicate: str, ask: Callable[[], Answer]) -> tuple[bool, str]:
    try:
        columns, rows = ask()
        row = first_row(columns, rows)
        shown = ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items())
        return Predicate.parse(predicate).holds(row, len(rows)), shown[:200] or "no rows"
    except SandboxError as error:
        return False, f"{error.kind.title}: {error.seen}"[:200]
    except PredicateError as error:
        return False, str(error)[:200]


def _since(scenario: Scenario) -> float:
    """When something began, world seconds since the drill did: the onset, else the first control."""
    if scenario.truth.onset_s is not None:
        return scenario.truth.onset_s
    return next((step.at_s for step in scenario.timeline if step.fault), 0.0)


def _harms(days: Sequence[_Seen], since_s: float) -> dict[str, tuple[float, float]]:
    """By metric. days: the incident, its own healthy day, others."""
    incident, *healthy = days
    window = (incident.began + since_s, incident.times["now"])
    return standout.of_ledgers(incident.ledger, [day.ledger for day in healthy], *window)


def _averted(
    harms: dict[str, tuple[float, float]], runs: _Runs, done: Found, days: Sequence[_Seen], since_s: float
) -> dict[str, float]:
    """Share of the harm that each action averts at onset, the best response first."""
    healthy, window = days[1], (days[0].began + since_s, days[0].times["now"])
    found = {}
    for text, plan in runs.acted.items():
        after = standout.harms(done[plan.key].ledger, healthy.ledger, *window)
        share = averted(harms, after, HARM_Z)
        if share is not None:
            found[text] = share
    return found


def _evidence(scenario: Scenario, days: Sequence[_Seen], runs: _Runs, done: Found) -> list[dict[str, Any]]:
    """A row for each query: what it says of the incident, of healthy days and of look-alikes."""
    incident, own, *others = days
    usual = [day.day for day in others]
    strange = {
        name: (_Seen(done[plan.key], plan), _Seen(done[quiet.key], quiet))
        for name, (plan, quiet) in runs.strange.items()
    }
    components = {cause.component for cause in scenario.truth.causes} - {"none"}
    rows = []
    for evidence in scenario.evidence:
        statement = Statement(claim=evidence.claim, sql=evidence.sql)
        holds, seen = incident.told(evidence)
        found = strength(statement, incident.day, [own.day, *usual])
        if not bears_on_any(evidence.sql, components):
            found = irrelevant(statement, components)
        rows.append({
            "query": evidence.id, "strength": found.value, "why": found.why, "holds": holds, "seen": seen,
            "under": {
                name: strength(statement, day.day, [quiet.day, *usual]).value
                for name, (day, quiet) in strange.items()
            },
            "holds_under": [name for name, (day, _) in strange.items() if day.told(evidence)[0]],
        })  # fmt: skip
    return rows


def _claims(done: Finished, plan: ArmPlan) -> list[dict[str, Any]]:
    """Whether each sentence is true of the incident when it is read."""
    scenario, found = plan.scenario, {}
    for by in {claim.by for claim in scenario.claims}:
        times = _times(done, plan, scenario.pager.at_s if by == "page" else scenario.evidence_by_s)
        with _lake(done, times["now"]) as worker:

            def ask(sql: str, worker: SqlWorker = worker, times: dict[str, float] = times) -> Answer:
                answer = worker.query(filled(sql, times))
                return answer.columns, answer.rows

            for claim in scenario.claims:
                if claim.by == by:
                    found[claim] = _verdict(claim.predicate, partial(ask, claim.sql))
    return [{"says": c.says, "by": c.by, "holds": found[c][0], "seen": found[c][1]} for c in scenario.claims]


def _named(what: str, progress: ProgressFn) -> ProgressFn:
    return lambda _what, share: progress(what, share)
