"""Patterns on actions: which of a trainee's operations a scenario accepts, penalises or ends on.

An action is an operation and its arguments, written as `sandbox act` takes it: `restart service=events`,
`revert target=gateway key=banner_copy`. A pattern has the same form; each word may hold the
wildcards of a shell (`*`, `?`), and arguments that a pattern does not name may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sandbox.base.config import Breaker
from sandbox.base.run import PROCESSES

RETRY_OPTIONS = ("timeout_ms", "backoff_ms", "retry_budget")  # of `retries`, that may be left out
# operation -> its arguments. `sandbox act` has them all but `set`, which says what an action came to.
OPERATIONS: dict[str, tuple[str, ...]] = {
    "path": ("caller", "callee", "path"),
    "deadline": ("caller", "callee", "ms"),
    "retries": ("caller", "callee", "attempts", *RETRY_OPTIONS),
    "breaker": ("caller", "callee", "switch", *Breaker.model_fields),
    "promote": ("artifact", "version"),
    "rebuild-index": (),
    "nprobe": ("n",),
    "revert": ("change",),
    "restart": ("service",),
    "skip-backlog": (),
    "replay": ("minutes",),
    "disable-source": ("source",),
    "enable-source": ("source",),
    "set": ("service", "field", "value"),
}
_NAMES_SERVICE = ("service", "caller", "callee")
CHANGED = ("target", "key")  # what the change log says of an action, beside its arguments

_ARGUMENT = re.compile(r"(\w+)=(.*?)(?=\s+\w+=|$)")


@dataclass(frozen=True)
class ActionPattern:
    """op and argument values are shell-style patterns; `arguments` are (name, pattern), sorted."""

    op: str
    arguments: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> ActionPattern:
        """Raises ValueError when a word after the operation is not `name=value`, or names one twice."""
        op, *rest = text.split()
        pairs: dict[str, str] = {}
        for word in rest:
            name, equals, value = word.partition("=")
            if not (name and equals and value) or name in pairs:
                raise ValueError(f"{word!r} is not a name=value that stands here for the first time")
            pairs[name] = value
        return cls(op, tuple(sorted(pairs.items())))

    def require_known(self) -> None:
        """Raises ValueError for an operation or a service that there is not, or an argument that it does
        not take."""
        taken = [set(names) for op, names in OPERATIONS.items() if fnmatchcase(op, self.op)]
        if not taken:
            raise ValueError(f"{self.op!r} is none of the operations {', '.join(OPERATIONS)}")
        allowed = set(CHANGED).union(*taken)
        for name, value in self.arguments:
            if name not in allowed:
                raise ValueError(f"{name!r} is no argument of {self.op}: {', '.join(sorted(allowed))}")
            if name in _NAMES_SERVICE and not any(fnmatchcase(p, value) for p in PROCESSES):
                raise ValueError(f"{name}={value}: there is no such service, but {', '.join(PROCESSES)}")

    def matches(self, op: str, arguments: Mapping[str, object]) -> bool:
        """True when the action is one of those meant."""
        return fnmatchcase(op, self.op) and all(
            name in arguments and fnmatchcase(str(arguments[name]), wanted) for name, wanted in self.arguments
        )

    @property
    def concrete(self) -> bool:
        """True when it holds no wildcard, so that it can be carried out as it stands."""
        words = (self.op, *(value for _, value in self.arguments))
        return not any(mark in word for word in words for mark in "*?[")

    def __str__(self) -> str:
        return " ".join((self.op, *(f"{name}={value}" for name, value in self.arguments)))


def parse_action(text: str) -> tuple[str, dict[str, str]]:
    """An action as it was recorded: operation and arguments, whose values may hold blanks."""
    op, _, rest = text.partition(" ")
    return op, dict(_ARGUMENT.findall(rest))
