"""`sandbox scenario prove`: is a scenario true, solvable and fair? Measured on the virtual backend.

Beside the incident, with nobody acting, run its own day without the faults, further healthy days, and
the same timeline with a look-alike in place of the fault. Then all responders play it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from faults.catalogue import CATALOGUE
from sandbox.base.errors import SandboxError
from sandbox.drill import library, signals, standout
from sandbox.drill.arm_runs import Finished, RunArm, run_all
from sandbox.drill.arms import ArmPlan, other_healthy
from sandbox.drill.evaluate import TIMEOUT_S, evaluate
from sandbox.drill.evidence import Day, strength
from sandbox.drill.host import Opener
from sandbox.drill.queries import filled, verdict
from sandbox.drill.report import Statement
from sandbox.drill.responders.registry import GOLD, SHIPPED
from sandbox.drill.scenario import Evidence, Scenario, Step
from sandbox.telemetry.sql import SqlWorker

OTHER_DAYS = 4  # healthy, beside the incident's own
HARM_Z = 2.0  # harm that does not stand out of the days is no incident
STRENGTH = 0.5  # of the strongest piece of evidence, at least
GOLD_LEAST, BLIND_MOST = 0.9, 0.35

ProgressFn = Callable[[str, float | None], None]
Answer = tuple[list[str], list[list[Any]]]


@dataclass(frozen=True)
class Proof:
    """What was found. harms: metric -> (harm, z). held: evidence id -> its predicate on the incident."""

    scenario: Scenario
    harms: dict[str, tuple[float, float]]
    signal: signals.Signal | None
    evidence: list[dict[str, Any]]
    not_run: dict[str, str]
    responders: dict[str, float]
    no_fault: float

    @property
    def main_metric(self) -> str:
        """The metric whose harm stands out most."""
        return max(self.harms, key=lambda m: self.harms[m][1])

    @property
    def faults_found(self) -> list[str]:
        """What is not as it should be, empty when all is well."""
        s, z = self.scenario, self.harms[self.main_metric][1]
        blind = [score for name, score in self.responders.items() if name != GOLD]
        found = []
        if s.truth.incident and z < HARM_Z:
            found.append(
                f"its harm ({self.main_metric}, z {z:.1f}) does not stand out of healthy days"
            )
        if not s.truth.incident and z >= HARM_Z:
            found.append(
                f"there is harm ({self.main_metric}, z {z:.1f}) where nothing should be wrong"
            )
        if s.truth.incident:
            if not all(e["holds"] for e in self.evidence):
                names = [e["query"] for e in self.evidence if not e["holds"]]
                found.append(f"the incident does not show {', '.join(names)}")
            if max(e["strength"] for e in self.evidence) < STRENGTH:
                found.append("no piece of its evidence differs clearly from a healthy day")
            for name in self.evidence[0]["under"]:
                if all(name in e["holds_under"] for e in self.evidence):
                    found.append(f"all of its evidence holds under {name} too")
        if (gold := self.responders.get(GOLD, 1.0)) < GOLD_LEAST:
            found.append(f"gold scores {gold:.2f}, below {GOLD_LEAST}")
        if blind and statistics.fmean(blind) >= BLIND_MOST:
            found.append(
                f"the others score {statistics.fmean(blind):.2f} on average, {BLIND_MOST} or more"
            )
        if self.responders.get("vandal", 0.0) > self.responders.get("do-nothing", 1.0):
            found.append("the vandal beats do-nothing")
        if self.no_fault < GOLD_LEAST:
            found.append(f"without the fault gold scores {self.no_fault:.2f}: no all-clear")
        return found

    def document(self) -> dict[str, Any]:
        """The document of `sandbox scenario prove --json`."""
        found = self.faults_found
        of, signal = self.main_metric, self.signal
        z = self.harms[of][1]
        first = f"{signal.name} after {signal.after_s / 60:.0f} world minutes" if signal else "none"
        well = (
            f"harm of {z:.1f} standard deviations ({of}), first signal: {first}; only gold finds it"
        )
        return {
            "scenario": self.scenario.id, "harm_z": round(z, 3), "harm_metric": of,
            "harms": {m: {"harm": round(h, 4), "z": round(one, 3)} for m, (h, one) in self.harms.items()},
            "first_signal": {"name": signal.name if signal else None, "after_s": signal.after_s if signal else None},
            "evidence": self.evidence, "not_run": self.not_run, "responders": self.responders,
            "no_fault": self.no_fault, "ok": not found, "why": "; ".join(found) or well,
        }  # fmt: skip


def prove(
    scenario: Scenario, *, world: str | None = None, n_seeds: int = 1, timeout_s: float = TIMEOUT_S,
    run: RunArm | None = None, opener: Opener | None = None, workers: int = 2,
    progress: ProgressFn = lambda _what, _share: None,
) -> Proof:  # fmt: skip
    """Everything that can be found out about a scenario. n_seeds: for the responders.

    run, opener: stand-ins for the virtual backend. Raises what a run or a drill raises.
    """
    at = world or scenario.world
    incident = ArmPlan(scenario, at, scenario.seed, True, (), scenario.evidence_by_s)
    own = replace(incident, faults=False)
    days = [incident, own, *other_healthy(incident, OTHER_DAYS)]
    done = run_all(days, telemetry=days, run=run, workers=workers, progress=progress)
    runs = [_Seen(done[plan.key], plan) for plan in days]
    since_s = _since(scenario)
    strange: dict[str, tuple[_Seen, _Seen]] = {}
    not_run = dict.fromkeys(scenario.look_alikes, "no such fault in the catalogue yet")
    for name, variant in _variants(scenario, not_run).items():
        plan = replace(incident, scenario=variant)
        pair = [plan, replace(plan, faults=False)]
        try:
            done = run_all(pair, telemetry=pair, run=run, workers=workers, progress=progress)
        except SandboxError as error:
            not_run[name] = f"{error.kind.title}: {error.seen}"
            continue
        strange[name] = (_Seen(done[pair[0].key], plan), _Seen(done[pair[1].key], pair[1]))
    rows = evaluate(
        list(SHIPPED), [scenario], n_seeds, world=world, timeout_s=timeout_s, workers=workers,
        opener=opener, progress=progress,
    )  # fmt: skip
    (quiet,) = evaluate(
        [GOLD], [scenario], 1, world=world, faults=False, timeout_s=timeout_s, workers=1,
        opener=opener, progress=progress,
    )  # fmt: skip
    return Proof(
        scenario, _harms(runs, since_s),
        signals.first_signal(runs[0].shown, [r.shown for r in runs[1:]], runs[0].began + since_s),
        [_proven(e, runs, strange) for e in scenario.evidence], not_run,
        {row["responder"]: row["score"] for row in rows}, quiet["score"],
    )  # fmt: skip


class _Seen:
    """A run that is done, and all that is asked of its lake, asked at once."""

    def __init__(self, done: Finished, plan: ArmPlan) -> None:
        assert done.run_dir is not None
        self.ledger, scenario = done.ledger, plan.scenario
        self.began = done.ledger.began_ts
        self.times = {
            "began": self.began, "paged": self.began + scenario.pager.at_s,
            "now": self.began + plan.until_s,
        }  # fmt: skip
        self._answers: dict[str, Answer | SandboxError] = {}
        with SqlWorker(done.run_dir / "lake") as worker:
            for sql in (signals.METRICS_SQL, signals.ALERTS_SQL):
                answer = worker.query(sql, max_rows=1_000_000)
                self._answers[sql] = answer.columns, answer.rows
            self.exposure: float | None = None
            if (shown := standout.exposure_sql(scenario.truth.segment)) is not None:
                since = {"since": self.began + _since(scenario)}
                self.exposure = worker.query(filled(shown, since)).rows[0][0]
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
        )  # fmt: skip

    def holds(self, evidence: Evidence) -> bool:
        with suppress(SandboxError):
            return verdict(evidence, *self.ask(filled(evidence.sql, self.times)))
        return False


def _since(scenario: Scenario) -> float:
    """When something began, world seconds since the drill did: the onset, else the first control."""
    if scenario.truth.onset_s is not None:
        return scenario.truth.onset_s
    return next((step.at_s for step in scenario.timeline if step.fault), 0.0)


def _harms(runs: Sequence[_Seen], since_s: float) -> dict[str, tuple[float, float]]:
    """By metric, and for the exposure of the items hit where they are a slice. runs: as `_proven` has them."""
    incident, *healthy = runs
    window = (incident.began + since_s, incident.times["now"])
    found = standout.of_ledgers(incident.ledger, [day.ledger for day in healthy], *window)
    seen = [run.exposure for run in runs]
    shown = [points for points in seen if points is not None]
    if len(shown) == len(runs):
        found[standout.EXPOSURE] = standout.of_values(shown[1] - shown[0], shown[1:])
    return found


def _variants(scenario: Scenario, not_run: dict[str, str]) -> dict[str, Scenario]:
    """The scenario with each look-alike in place of its fault, as a scenario of the pack arms it. Names
    that there is none for stay in `not_run`."""
    found = {}
    for name in scenario.look_alikes:
        if name not in CATALOGUE:
            continue
        not_run[name] = "no scenario arms it"
        donors = (s for s in library.load_all().values() if s.id != scenario.id)
        step = next(
            (t for s in donors for t in s.timeline if t.fault and t.fault.name == name), None
        )
        if step is not None:
            del not_run[name]
            found[name] = _with(scenario, step)
    return found


def _with(scenario: Scenario, look_alike: Step) -> Scenario:
    """Its harmful step replaced, at the same time. Not checked as a whole: its truth is another's."""
    onset_s = scenario.truth.onset_s
    timeline = tuple(
        look_alike.model_copy(update={"at_s": onset_s})
        if step.fault and step.at_s == onset_s
        else step
        for step in scenario.timeline
    )
    return scenario.model_copy(update={"timeline": timeline})


def _proven(
    evidence: Evidence, runs: Sequence[_Seen], strange: dict[str, tuple[_Seen, _Seen]]
) -> dict[str, Any]:
    """runs: the incident, its own healthy day, others."""
    statement = Statement(claim=evidence.claim, sql=evidence.sql)
    incident, own, *others = runs
    usual = [day.day for day in others]
    return {
        "query": evidence.id,
        "strength": strength(statement, incident.day, [own.day, *usual]).value,
        "holds": incident.holds(evidence),
        "under": {
            name: strength(statement, day.day, [quiet.day, *usual]).value
            for name, (day, quiet) in strange.items()
        },
        "holds_under": [name for name, (day, _) in strange.items() if day.holds(evidence)],
    }
