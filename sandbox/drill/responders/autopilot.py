"""The scripted responder: asks what a person could ask, by the same public ways, and no more.

It knows the scenario's gold evidence, and concludes an incident only if every predicate holds on what
the running stack answers. Left without its fault, a drill must leave it unconvinced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from sandbox.base.errors import SandboxError
from sandbox.drill.play.report import NamedCause, Report, RuledOut, Statement
from sandbox.drill.responders.observed import Rows
from sandbox.drill.responders.sizing import Claims, sized
from sandbox.drill.scenario import library, lookalikes
from sandbox.drill.scenario.patterns import ActionPattern
from sandbox.drill.scenario.queries import filled, first_row, verdict
from sandbox.drill.scenario.scenario import Evidence, Scenario

BUSY = ("LAKE-002", "LAKE-003")  # a query stopped at its limits: no answer, and nothing wrong with it
EVERY_S = 120.0  # world seconds between two rounds of queries
STEADY = 2  # rounds in a row in which everything must hold: one could be luck
LEAST_ROUNDS = 4  # however late it has become: on a busy machine world time runs ahead of the answers


class Answer(Protocol):
    """Of the SQL console."""

    @property
    def columns(self) -> list[str]: ...
    @property
    def rows(self) -> list[list[Any]]: ...


class Hands(Protocol):
    """What of a `Desk` the responder uses: the clock, the SQL console, the page and `sandbox act`."""

    def now(self) -> float: ...  # world seconds since the epoch
    def wait(self, until_ts: float) -> None: ...
    def paged(self) -> float | None: ...
    def ask(self, sql: str) -> Answer: ...
    def act(self, action: str) -> object: ...


@dataclass
class Finding:
    """What the responder came to. answers: first row by evidence id. convinced: everything held."""

    convinced: bool
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[str, bool] = field(default_factory=dict)
    onset_ts: float | None = None
    detected_ts: float | None = None


def respond(
    scenario: Scenario, desk: Hands, began_ts: float, say: Callable[[str], None] = lambda _: None
) -> tuple[Report, Finding]:
    """Waits for the page, investigates, acts if convinced, and writes the report."""
    deadline = began_ts + scenario.evidence_by_s
    finding = _investigate(scenario, desk, began_ts, deadline, say)
    if not finding.convinced:
        say("not convinced: reporting that nothing is wrong")
        return _all_clear(scenario, finding), finding
    done: list[str] = []
    for _, action in scenario.best_response:
        say(f"acting: {action}")
        desk.act(action)
        done.append(str(ActionPattern.parse(action)))
    started = min(finding.onset_ts or desk.now(), finding.detected_ts or desk.now())
    say("sizing the harm")
    report = Report(
        incident=True, detected_at=finding.detected_ts, actions=done, confidence=0.9,
        causes=_causes(scenario, began_ts, started),
        evidence=[Statement(claim=e.claim, sql=e.sql) for e in scenario.evidence],
        ruled_out=_ruled_out(scenario), impact=_size(scenario, desk, began_ts, started),
        notes="Written by the scripted responder.",
    )  # fmt: skip
    return report, finding


def _causes(scenario: Scenario, began_ts: float, started_ts: float) -> tuple[NamedCause, ...]:
    """The causes by the scenario, the first at the time that was found out; of others the queries tell none."""
    first = scenario.truth.first
    return tuple(
        NamedCause(
            component=c.component,
            mechanism=c.mechanism,
            segment=c.segment,
            started_at=started_ts if c is first else began_ts + (c.onset_s or 0.0),
        )
        for c in scenario.truth.causes
    )


def _ruled_out(scenario: Scenario) -> list[RuledOut]:
    """Each look-alike that the pack arms, by what would show it there and does not show here."""
    others = lookalikes.runnable(scenario, library.load_all().values())
    tells = {of.cause.mechanism: of.scenario.evidence[0] for of in others.values()}
    return [RuledOut(what=word, sql=tell.sql, claim=f"not so: {tell.claim}"[:400]) for word, tell in tells.items()]


def _size(scenario: Scenario, desk: Hands, began_ts: float, started_ts: float) -> Claims:
    """How great the harm is; nothing where a busy lake does not answer in time."""

    def observe(sql: str) -> Rows:
        answer = desk.ask(filled(sql, {"began": began_ts, "now": desk.now()}))
        return Rows(answer.columns, answer.rows)

    try:
        return sized(observe, started_ts, [cause.segment for cause in scenario.truth.causes])
    except SandboxError as error:
        if error.kind.code not in BUSY:
            raise
        return {}


def _all_clear(scenario: Scenario, finding: Finding) -> Report:
    return Report(
        incident=False,
        confidence=0.8,
        evidence=[
            Statement(claim=f"does not hold: {e.claim}"[:400], sql=e.sql)
            for e in scenario.evidence
            if not finding.held.get(e.id, False)
        ],
        notes="Written by the scripted responder.",
    )


def _investigate(
    scenario: Scenario, desk: Hands, began_ts: float, deadline: float, say: Callable[[str], None]
) -> Finding:
    finding, in_a_row, rounds = Finding(False), 0, 0
    paged: float | None = None
    while desk.now() < deadline or (paged is not None and rounds < LEAST_ROUNDS):
        if paged is None:
            paged = desk.paged()
            if paged is None:
                desk.wait(min(desk.now() + EVERY_S / 4, deadline))
                continue
            for probe in scenario.probes:
                say(f"looking: {probe}")
                desk.act(probe)
            say("paged; asking for the evidence")
        times = {"began": began_ts, "paged": paged, "now": desk.now()}
        _ask_all(scenario.evidence, desk, times, finding)
        rounds += 1
        in_a_row = in_a_row + 1 if all(finding.held.values()) else 0
        say(", ".join(f"{e}: {'holds' if ok else 'no'}" for e, ok in finding.held.items()))
        if in_a_row and finding.detected_ts is None:
            finding.detected_ts = times["now"]
        if not in_a_row:
            finding.detected_ts = None
        if in_a_row >= STEADY:
            finding.convinced = True
            break
        desk.wait(desk.now() + EVERY_S)
    return finding


def _ask_all(evidence: tuple[Evidence, ...], desk: Hands, times: Mapping[str, float], finding: Finding) -> None:
    for one in evidence:
        try:
            answer = desk.ask(filled(one.sql, times))
        except SandboxError as error:
            if error.kind.code not in BUSY:
                raise  # SQL that does not run is the scenario's fault, not an answer
            finding.held[one.id] = False
            continue
        row = first_row(answer.columns, answer.rows)
        finding.answers[one.id] = row
        finding.held[one.id] = verdict(one, answer.columns, answer.rows)
        onset = row.get("onset")
        if isinstance(onset, datetime):
            when = onset.replace(tzinfo=UTC) if onset.tzinfo is None else onset
            finding.onset_ts = when.timestamp()
