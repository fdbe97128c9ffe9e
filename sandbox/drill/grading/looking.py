"""What a report quotes, asked again on virtual runs: its evidence beside healthy days, and what it rules out
beside runs with the look-alike in place of the fault.

Every query is asked as of several moments: before the first action, before the first one that helps, and when
the report was filed. A query that looks back from `$now` sees a healthy hour in what somebody has repaired. The
healthy days are days with the same actions at the same times, so that nobody is paid for having seen their own
deed. A query that is strong at one moment is not asked at the next.

Queries that the trainee asked and did not quote are asked again too, before the first action and whenever else those
runs are there: the debrief tells how strong they would have been.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn, quiet
from sandbox.drill.grading.bearing import bears_on_any
from sandbox.drill.grading.evidence import (
    IRRELEVANT,
    LEAST_HEALTHY,
    Day,
    Strength,
    answer,
    irrelevant,
    ruled_out_by,
    strength,
)
from sandbox.drill.grading.grade import Looked
from sandbox.drill.play.report import Report, RuledOut, Statement
from sandbox.drill.scenario import lookalikes
from sandbox.drill.scenario.scenario import Scenario
from sandbox.drill.twin import arm_runs
from sandbox.drill.twin.arm_runs import RunArm
from sandbox.drill.twin.arms import ArmPlan, other_healthy, same_actions
from sandbox.drill.twin.story import STEP_S, Story
from sandbox.telemetry.sql import SqlWorker

FULL = 0.995  # strength from which a query need not be asked again


@dataclass(frozen=True)
class Looking:
    """A finished drill whose report is asked again. pack: the scenarios that look-alikes are taken from. asked:
    queries that it does not quote."""

    story: Story
    report: Report
    pack: tuple[Scenario, ...]
    run: RunArm | None = None
    workers: int = arm_runs.WORKERS
    progress: ProgressFn = quiet
    asked: tuple[Statement, ...] = ()

    @property
    def moments(self) -> list[float]:
        """World seconds since the drill began, as of which queries are asked, in order."""
        story, onset_s = self.story, self.story.onset_s
        assert onset_s is not None
        done = [a for a in story.played.actions if onset_s < a.at_s < story.played.filed_s]
        helpful = [a for a in done if a.is_one_of(story.plan.scenario.helpful)]
        times = {of[0].at_s for of in (done, helpful) if of}
        return sorted({*times, story.played.filed_s})

    def days(self, moment_s: float) -> list[ArmPlan]:
        """The incident, its own day without the faults, and others: all with the same actions so far."""
        plan = self.story.plan
        actions = same_actions(plan, moment_s)
        until_s = self._until_s(moment_s) if actions else self._whole_s
        own_until_s = plan.until_s if not actions else until_s  # without any, an arm that is run anyway
        own = replace(plan, faults=False, actions=actions, until_s=own_until_s)
        others = other_healthy(replace(own, until_s=until_s), LEAST_HEALTHY - 1)
        return [plan, own, *others]

    def look_alikes(self, one: RuledOut, moment_s: float) -> list[ArmPlan]:
        """Runs with what the report rules out in place of the fault."""
        plan = self.story.plan
        return [
            replace(
                plan,
                scenario=lookalikes.variant(plan.scenario, donor.step),
                until_s=self._whole_s,
                actions=same_actions(plan, moment_s),
            )
            for donor in lookalikes.meant(one.what, plan.scenario, self.pack)
        ]

    @property
    def _whole_s(self) -> float:
        """When runs end in which nobody did anything: all reports that are filed by when the evidence is there share
        them, a proof's too."""
        return self._until_s(max(self.story.played.filed_s, self.story.plan.scenario.evidence_by_s))

    def _until_s(self, moment_s: float) -> float:
        return min(self.story.plan.until_s, math.ceil(moment_s / STEP_S) * STEP_S)

    def runs(self) -> list[ArmPlan]:
        """Runs with a lake that will be wanted, or may be: all at once they cost little more than the first."""
        found: list[ArmPlan] = []
        for n, moment_s in enumerate(self.moments):
            asked = [plan for one in self._quoted for plan in self.look_alikes(one, moment_s)]
            wanted = self._bearing or asked or (n == 0 and self._telling)
            found += [*(self.days(moment_s) if wanted else []), *asked]
        return found

    def looked(self) -> Looked:
        """How strong what the report quotes is. Raises what a run raises."""
        evidence: list[Strength | None] = [
            None if s in self._bearing else irrelevant(s, self._blamed) for s in self.report.evidence
        ]
        excluded: list[Strength | None] = [None] * len(self._quoted)
        asked: list[Strength | None] = [None if s in self._telling else irrelevant(s, self._guilty) for s in self.asked]
        for n, moment_s in enumerate(self.moments):
            first = n == 0 and bool(self._telling)
            if first or not all(map(_done, [*evidence, *excluded])):
                self._ask_again(moment_s, evidence, excluded, asked)
        return Looked([e for e in evidence if e], self._ruled_out(excluded), [a for a in asked if a])

    def _ask_again(
        self, moment_s: float, evidence: list[Strength | None], excluded: list[Strength | None],
        asked: list[Strength | None],
    ) -> None:  # fmt: skip
        """Puts what is stronger at that moment in place of what was known of each query."""
        with ExitStack() as lakes:
            days = self._open(self.days(moment_s), moment_s, lakes)
            for statements, known in ((self.report.evidence, evidence), (self.asked, asked)):
                for i, statement in enumerate(statements):
                    self.progress("asking your queries again", i / len(statements))
                    if not _done(known[i]):
                        known[i] = _stronger(known[i], strength(statement, days[0], days[1:]))
            for i, one in enumerate(self._quoted):
                if not _done(excluded[i]):
                    found = self._excluded(one, days, moment_s, lakes)
                    excluded[i] = _stronger(excluded[i], found)

    @property
    def _blamed(self) -> set[str]:
        return {cause.component for cause in self.report.causes}

    @cached_property
    def _bearing(self) -> list[Statement]:
        """Evidence that looks at something in which a component shows that the report blames."""
        return [s for s in self.report.evidence if bears_on_any(s.sql, self._blamed)]

    @property
    def _guilty(self) -> set[str]:
        return {cause.component for cause in self.story.plan.scenario.truth.causes}

    @cached_property
    def _telling(self) -> list[Statement]:
        """What was asked and looks at something in which a component shows that was really at fault."""
        return [s for s in self.asked if bears_on_any(s.sql, self._guilty)]

    @cached_property
    def _quoted(self) -> list[RuledOut]:
        """What is ruled out with a query that bears on it or on what the report blames, and can be run."""
        scenario, found = self.story.plan.scenario, []
        for one in self.report.ruled_out:
            meant = lookalikes.meant(one.what, scenario, self.pack)
            components = {donor.cause.component for donor in meant} | self._blamed
            if one.sql and (meant or self._is_true(one)) and bears_on_any(one.sql, components):
                found.append(one)
        return found

    def _is_true(self, one: RuledOut) -> bool:
        return any(lookalikes.is_called(one.what, c) for c in self.story.plan.scenario.truth.causes)

    def _ruled_out(self, excluded: Sequence[Strength | None]) -> list[Strength] | None:
        """None where nothing could have been ruled out with a query that could be asked."""
        found = [e for e in excluded if e is not None]
        possible = lookalikes.runnable(self.story.plan.scenario, self.pack)
        return found if found or possible else None

    def _excluded(self, one: RuledOut, days: Sequence[Day], moment_s: float, lakes: ExitStack) -> Strength:
        assert one.sql is not None
        claim = one.claimed
        if self._is_true(one):
            return Strength(claim, 0.0, "", "it was just that")
        plans = self.look_alikes(one, moment_s)
        strange = self._open(plans, moment_s, lakes)
        try:
            seen, usual = answer(one.sql, days[0]), [answer(one.sql, d) for d in days[1:]]
            told = [ruled_out_by(claim, one.sql, seen, answer(one.sql, d), usual) for d in strange]
        except SandboxError as error:
            why = f"does not run: {error.kind.title} ({error.seen})"
            return Strength(claim, 0.0, "", why[:200])
        return min(told, key=lambda s: s.value)  # ruled out is what holds against all of them

    def _open(self, plans: Sequence[ArmPlan], moment_s: float, lakes: ExitStack) -> list[Day]:
        done = arm_runs.run_all([], telemetry=plans, run=self.run, workers=self.workers, progress=self.progress)
        return [self._day(done[plan.key], moment_s, lakes) for plan in plans]

    def _day(self, finished: arm_runs.Finished, moment_s: float, lakes: ExitStack) -> Day:
        assert finished.run_dir is not None
        played, began_ts = self.story.played, finished.ledger.began_ts
        times = {"began": began_ts, "paged": began_ts + played.paged_s, "now": began_ts + moment_s}
        lake = lakes.enter_context(SqlWorker(finished.run_dir / "lake", until_ts=times["now"]))

        def ask(sql: str) -> tuple[list[str], list[list[Any]]]:
            told = lake.query(sql)
            return told.columns, told.rows

        return Day(ask, times, began_ts - played.began_ts)


def _stronger(known: Strength | None, found: Strength) -> Strength:
    return found if known is None or found.value > known.value else known


def _done(found: Strength | None) -> bool:
    """So strong, or so far from the matter, that it need not be asked again."""
    return found is not None and (found.value >= FULL or found.column == IRRELEVANT)
