"""What a trainee did, and how a drill went: what the grader and the arms of a comparison start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox.drill.play.journal import Entry, first
from sandbox.drill.scenario.patterns import ActionPattern, parse_action
from sandbox.drill.scenario.scenario import Scenario
from sandbox.runtime.operate.actions import ACTIONS

HINT_PRICE = 0.03  # of the whole score, for each hint taken


@dataclass(frozen=True)
class ActionTaken:
    """One thing the trainee did. at_s: world seconds since the drill began. text: as it was typed.
    forms: every form that it counts as, the one typed and what it came to, as (operation, arguments)."""

    at_s: float
    text: str
    forms: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    @classmethod
    def of(cls, at_s: float, op: str, arguments: Mapping[str, str], effects: Iterable[str] = ()) -> ActionTaken:
        """effects: what it came to, each written as an action."""
        typed = " ".join((op, *(f"{k}={v}" for k, v in arguments.items() if k not in ("target", "key"))))
        forms = [(op, dict(arguments)), *(parse_action(text) for text in effects)]
        return cls(at_s, typed, tuple((o, tuple(sorted(a.items()))) for o, a in forms))

    @property
    def looks(self) -> bool:
        """Whether it was only to see something by."""
        kind = ACTIONS.get(self.forms[0][0])
        return kind is not None and kind.looks

    def is_one_of(self, patterns: Iterable[str]) -> bool:
        """True when a form of it matches one of the patterns."""
        wanted = [ActionPattern.parse(text) for text in patterns]
        return any(p.matches(op, dict(arguments)) for p in wanted for op, arguments in self.forms)


@dataclass(frozen=True)
class Played:
    """How a drill went. Times are world seconds since it began.

    began_ts: world seconds since the epoch at its beginning. length_s: what the trainee had. onset_s:
    when the fault began, None without one. paged_s: when the page came. filed_s: when the report came.
    hints: how many were taken.
    """

    began_ts: float
    length_s: float
    onset_s: float | None
    paged_s: float
    filed_s: float
    actions: tuple[ActionTaken, ...] = ()
    hints: int = 0


def played_of(scenario: Scenario, entries: list[Entry]) -> Played:
    """How the drill went, by its journal. Onset is when the first harmful fault really began."""
    began = first(entries, "phase", name="baseline")
    assert began is not None, "a drill that has begun has a baseline"
    armed, paged = first(entries, "armed"), first(entries, "page")
    filed = first(entries, "report")
    end = max(e.world_ts for e in entries)  # that a driver failed has no world time
    zero = began.world_ts
    return Played(
        began_ts=zero,
        length_s=scenario.length_s,
        onset_s=armed.world_ts - zero if armed else None,
        paged_s=(paged.world_ts if paged else end) - zero,
        filed_s=(filed.world_ts if filed else end) - zero,
        actions=tuple(_action(e, zero) for e in entries if e.what == "action"),
        hints=sum(e.what == "hint" for e in entries),
    )


def _action(entry: Entry, began_ts: float) -> ActionTaken:
    forms = tuple((str(op), tuple((str(k), str(v)) for k, v in arguments)) for op, arguments in entry.fields["forms"])
    return ActionTaken(entry.world_ts - began_ts, str(entry.fields["text"]), forms)
