"""Actions as a trainee types them, carried out on either backend."""

from __future__ import annotations

from sandbox.base.errors import SandboxError
from sandbox.drill.patterns import ActionPattern
from sandbox.drill.rollout import OPERATOR
from sandbox.runtime.actions import Action, Preview
from sandbox.runtime.operations import Operations


def preview(text: str, operations: Operations) -> Preview:
    """What it would do. Raises DRILL-005, DRILL-007."""
    return _parsed(text, operations).preview(operations)


def act(text: str, operations: Operations) -> None:
    """Previews it, as a person does, and carries it out. Raises DRILL-005, DRILL-007, and what it raises."""
    chosen = _parsed(text, operations)
    chosen.preview(operations)
    chosen.run(operations, OPERATOR)


def _parsed(text: str, operations: Operations) -> Action:
    return Action.parse(_numbered(text, operations).split())


def _numbered(text: str, operations: Operations) -> str:
    """`revert target=… key=…` names a change, which has a number to be typed. Any other text as it is."""
    try:
        pattern = ActionPattern.parse(text)
    except ValueError:  # no action: Action.parse says why
        return text
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
