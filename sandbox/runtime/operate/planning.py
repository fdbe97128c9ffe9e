"""The parts of an action: its kind, what it would do on a stack, and what its arguments may be there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from sandbox.base.errors import SandboxError
from sandbox.runtime.operate.operations import Operations, Record

Arguments = dict[str, str]


@dataclass(frozen=True)
class Preview:
    """What an action would do. touches: services it reconfigures or stops. reversible: by `revert`."""

    summary: str
    touches: list[str]
    users_share: float  # of requests that would notice, 0..1
    reversible: bool
    warning: str = ""

    def told(self) -> str:
        """Lines for a person."""
        share, undo = f"{self.users_share:.0%}", "can" if self.reversible else "cannot"
        radius = f"  blast radius: {', '.join(self.touches)}; {share} of requests; {undo} be reverted"
        return "\n".join((self.summary, radius, *([f"  {self.warning}"] if self.warning else ())))


@dataclass(frozen=True)
class Plan:
    """A checked action on one stack. carry_out: does it in the name of an actor."""

    preview: Preview
    carry_out: Callable[[str], Record]


@dataclass(frozen=True)
class Explained:
    """One argument of an action on one stack. legal: its values, or their range in words. now: what is in
    force, empty where nothing is."""

    name: str
    about: str
    legal: str
    now: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of action. arguments: name -> what it is. optional: those of them that may be left out.
    plan raises DRILL-007 for a bad value. legal: argument -> (its values or range in words, what is in
    force now). ranges: argument that is a number -> least and most. settings: (service, field) of the documents that
    it may bring any value of. keys: (target, key) of its entries in the change log, where it can be reverted. looks: it
    repairs nothing and is there to see something by; what it costs is counted as of any action."""

    name: str
    summary: str
    arguments: Arguments
    plan: Callable[[Operations, Arguments], Plan]
    legal: Callable[[Operations], dict[str, tuple[str, str]]] = lambda _: {}
    optional: frozenset[str] = frozenset()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    settings: tuple[tuple[str, str], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    looks: bool = False

    def explained(self, operations: Operations) -> list[Explained]:
        """Its arguments on that stack, in order."""
        known = self.legal(operations)
        return [
            Explained(name, about, *known.get(name, ("", "")), optional=name in self.optional)
            for name, about in self.arguments.items()
        ]


def bad_argument(action: str, name: str, seen: object, expected: str) -> SandboxError:
    return SandboxError(
        "DRILL-007",
        where=f"act {action}, {name}",
        seen=seen,
        expected=expected,
        fix=f"see what it takes: sandbox act {action}",
    )


def one_of(action: str, name: str, seen: str, there: Sequence[str]) -> str:
    """The value, known to be one of those. Raises DRILL-007."""
    if seen not in there:
        raise bad_argument(action, name, seen, f"one of {', '.join(there)}")
    return seen


def number(action: str, name: str, text: str) -> float:
    """Raises DRILL-007 for what is no finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise bad_argument(action, name, text, "a number")
    return value


def validated(model: BaseModel, change: dict[str, Any], action: str, names: Arguments) -> BaseModel:
    """The document with the change made. names: field -> argument that it comes from. Raises DRILL-007 for
    a value out of its range."""
    try:
        return type(model).model_validate({**model.model_dump(), **change})
    except ValidationError as error:
        first = error.errors()[0]
        named = str(first["loc"][0]) if first["loc"] else ""  # nothing: what several fields are together
        raise bad_argument(action, names.get(named, named), first["input"], first["msg"]) from None


def bounds(model: type[BaseModel], name: str) -> str:
    """The range of a number in a document, in words."""
    low, high, open_low = None, None, False
    for mark in model.model_fields[name].metadata:
        low = getattr(mark, "ge", None) if low is None else low
        high = getattr(mark, "le", None) if high is None else high
        if getattr(mark, "gt", None) is not None:
            low, open_low = mark.gt, True
    return f"{'above ' if open_low else ''}{low:g} to {high:g}"
