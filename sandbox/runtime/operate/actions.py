"""What an operator can do, by name: each action checked, previewed with its blast radius, and carried out.

An action is written `NAME argument=value ...`, on the command line, in the drill shell and in the
patterns of scenarios alike. Its `plan` checks everything that carrying it out would refuse, so that a
preview and the deed answer nonsense with the same error.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from sandbox.base.errors import SandboxError
from sandbox.runtime.operate import (
    edge_actions,
    model_actions,
    privacy_actions,
    process_actions,
    store_actions,
    traffic_actions,
)
from sandbox.runtime.operate.edge_actions import EDGES
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.operate.planning import Explained, Kind, Plan, Preview, bad_argument

__all__ = ["ACTIONS", "EDGES", "FAMILIES", "Action", "Explained", "Kind", "Preview", "bad_argument", "kind_named"]

FAMILIES = {
    "edges": edge_actions.KINDS,
    "traffic": traffic_actions.KINDS,
    "privacy": privacy_actions.KINDS,
    "versions and sources": model_actions.KINDS,
    "processes": process_actions.KINDS,
    "the store": store_actions.KINDS,
}
# The one table of what there is to do: command line, shells, patterns of scenarios and their check follow from it.
ACTIONS = {kind.name: kind for kinds in FAMILIES.values() for kind in kinds}


def kind_named(name: str) -> Kind:
    """Raises DRILL-005 when there is no such action, naming those that sound like it."""
    if name in ACTIONS:
        return ACTIONS[name]
    near = difflib.get_close_matches(name, ACTIONS, 3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise SandboxError(
        "DRILL-005",
        where="act",
        seen=name,
        expected=f"one of {', '.join(ACTIONS)}",
        fix=f"{hint}see `sandbox act --help`",
    )


@dataclass(frozen=True)
class Action:
    """One action, its arguments known to be those of its kind."""

    kind: Kind
    arguments: dict[str, str]

    @classmethod
    def parse(cls, words: list[str]) -> Action:
        """From `NAME argument=value ...`. Raises DRILL-005 for the name, DRILL-007 for an argument."""
        name, *rest = words or [""]
        kind, given = kind_named(name), dict[str, str]()
        for word in rest:
            key, equals, value = word.partition("=")
            if not equals or key not in kind.arguments:
                raise bad_argument(name, key, word, _wanted(kind))
            if not value or key in given:
                raise bad_argument(name, key, word, "a value, given once")
            given[key] = value
        needed = [key for key in kind.arguments if key not in kind.optional]
        if missing := [key for key in needed if key not in given]:
            example = " ".join(f"{key}=..." for key in needed)
            raise bad_argument(name, ", ".join(missing), "nothing", f"{name} {example}")
        return cls(kind, given)

    def plan(self, operations: Operations) -> Plan:
        """What it would do on that stack, and the way to do it. Raises DRILL-007 for a value that the stack
        does not allow, MODEL-001 for a version that there is not."""
        return self.kind.plan(operations, self.arguments)

    def preview(self, operations: Operations) -> Preview:
        """Raises as `plan`."""
        return self.plan(operations).preview

    def run(self, operations: Operations, actor: str) -> Record:
        """Raises as `plan`, and what the stack answers that cannot do it."""
        return self.plan(operations).carry_out(actor)


def _wanted(kind: Kind) -> str:
    if not kind.arguments:
        return "nothing: it takes no argument"
    return f"argument=value of {', '.join(kind.arguments)}"
