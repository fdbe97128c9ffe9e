"""Actions as a trainee types them, carried out on either backend."""

from __future__ import annotations

from sandbox.base.errors import SandboxError
from sandbox.drill.patterns import ActionPattern
from sandbox.drill.rollout import OPERATOR
from sandbox.runtime.actions import Action
from sandbox.runtime.operations import Operations


def act(text: str, operations: Operations) -> None:
    """Previews it, as a person does, and carries it out. Raises DRILL-005, DRILL-007, and what it raises."""
    chosen = Action.parse(_numbered(text, operations).split())
    chosen.preview(operations)
    chosen.run(operations, OPERATOR)


def _numbered(text: str, operations: Operations) -> str:
    """`revert target=… key=…` names a change, which has a number to be typed."""
    pattern = ActionPattern.parse(text)
    wanted = dict(pattern.arguments)
    if pattern.op != "revert" or "change" in wanted:
        return text
    for record in reversed(operations.records()):
        if record.before and all(getattr(record, name) == value for name, value in wanted.items()):
            return f"revert change={record.n}"
    raise SandboxError(
        "DRILL-007", where="act revert", seen=text, expected="a change that was made and can be reverted",
        fix="see `sandbox act --list-changes`",
    )  # fmt: skip
