"""What a trainee did, and how a drill went: what the grader and the arms of a comparison start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox.drill.patterns import ActionPattern, parse_action


@dataclass(frozen=True)
class Action:
    """One thing the trainee did. at_s: world seconds since the drill began. text: as it was typed.
    forms: every form that it counts as, the one typed and what it came to, as (operation, arguments)."""

    at_s: float
    text: str
    forms: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    @classmethod
    def of(
        cls, at_s: float, op: str, arguments: Mapping[str, str], effects: Iterable[str] = ()
    ) -> Action:
        """effects: what it came to, each written as an action."""
        typed = " ".join(
            (op, *(f"{k}={v}" for k, v in arguments.items() if k not in ("target", "key")))
        )
        forms = [(op, dict(arguments)), *(parse_action(text) for text in effects)]
        return cls(at_s, typed, tuple((o, tuple(sorted(a.items()))) for o, a in forms))

    def is_one_of(self, patterns: Iterable[str]) -> bool:
        """True when a form of it matches one of the patterns."""
        wanted = [ActionPattern.parse(text) for text in patterns]
        return any(p.matches(op, dict(arguments)) for p in wanted for op, arguments in self.forms)


@dataclass(frozen=True)
class Course:
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
    actions: tuple[Action, ...] = ()
    hints: int = 0
