"""Actions as a trainee types them, carried out on either backend."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.base.errors import SandboxError
from sandbox.drill.play.rollout import OPERATOR
from sandbox.drill.scenario.patterns import CHANGED, ActionPattern
from sandbox.runtime.operate.actions import Action
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.operate.planning import Plan, Preview


@dataclass(frozen=True)
class Typed:
    """A checked action. text: as it is carried out, a change by its number."""

    text: str
    plan: Plan

    @property
    def preview(self) -> Preview:
        return self.plan.preview

    def carry_out(self) -> Record:
        """Raises what the stack answers that cannot do it."""
        return self.plan.carry_out(OPERATOR)


def check(text: str) -> None:
    """Whether it is an action at all, whatever stack it is for. Raises DRILL-005, DRILL-007."""
    if not _names_change(text):
        Action.parse(text.split())


def planned(text: str, operations: Operations) -> Typed:
    """Everything checked, nothing done. Raises DRILL-005, DRILL-007, MODEL-001."""
    numbered = _numbered(text, operations)
    return Typed(numbered, Action.parse(numbered.split()).plan(operations))


def act(text: str, operations: Operations) -> Record:
    """Carries it out. Raises as `planned`, and what the stack answers that cannot do it."""
    return planned(text, operations).carry_out()


def _names_change(text: str) -> dict[str, str]:
    """What `revert target=… key=…` says of the change it means, empty for any other text."""
    try:
        pattern = ActionPattern.parse(text)
    except ValueError:  # no action: Action.parse says why
        return {}
    wanted = dict(pattern.arguments)
    return wanted if pattern.op == "revert" and wanted and set(wanted) <= set(CHANGED) else {}


def _numbered(text: str, operations: Operations) -> str:
    """A revert by target and key as one by number, for that is how it is carried out."""
    wanted = _names_change(text)
    if not wanted:
        return text
    for record in reversed(operations.records()):
        if record.before and all(getattr(record, name) == value for name, value in wanted.items()):
            return f"revert change={record.n}"
    raise SandboxError(
        "DRILL-007",
        where="act revert",
        seen=text,
        expected="a change that was made and can be reverted",
        fix="see `sandbox act --list-changes`",
    )
