"""Predicates on a query's answer: a small expression language, parsed and walked, never executed.

Names are the columns of the answer's first row, and `rows`, how many there are. Numbers, strings
in quotes, + - * /, comparisons (chains too), and, or, not, abs, min, max and parentheses.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

MAX_LENGTH = 300

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_CALLS: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max}


class PredicateError(ValueError):
    """The text is no predicate, or names what the answer does not have."""


@dataclass(frozen=True)
class Predicate:
    """A parsed predicate. text: as the scenario writes it."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> Predicate:
        """Raises PredicateError for anything beyond the language."""
        if len(text) > MAX_LENGTH:
            raise PredicateError(f"longer than {MAX_LENGTH} characters")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
            _check(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise PredicateError(f"{text!r}: {error}") from error
        return cls(text, tree)

    @cached_property
    def names(self) -> frozenset[str]:
        """Columns it reads, `rows` among them."""
        nodes = list(ast.walk(self.tree))
        called = {n.func for n in nodes if isinstance(n, ast.Call)}
        return frozenset(n.id for n in nodes if isinstance(n, ast.Name) and n not in called)

    def holds(self, first_row: Mapping[str, Any], rows: int) -> bool:
        """Its verdict on an answer. NULL in the row, or no row, makes whatever compares it false.

        Raises PredicateError when it names a column that the answer does not have.
        """
        scope = {**first_row, "rows": rows}
        missing = self.names - set(scope)
        if missing and rows:
            raise PredicateError(f"{self.text!r}: the answer has no column {sorted(missing)}")
        try:
            return bool(_value(self.tree, {**dict.fromkeys(missing), **scope}))
        except (ZeroDivisionError, _UnknownError):
            return False
        except TypeError as error:
            raise PredicateError(f"{self.text!r}: {error}") from error


class _UnknownError(Exception):
    """Arithmetic met a NULL."""


def _check(node: ast.expr) -> None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | bool):
        return
    if isinstance(node, ast.Name):
        return
    if isinstance(node, ast.BoolOp):
        parts = node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        parts = [node.operand]
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        parts = [node.left, node.right]
    elif isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        parts = [node.left, *node.comparators]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        if node.keywords or not node.args:
            raise ValueError(f"{node.func.id} takes plain arguments")
        parts = node.args
    else:
        raise ValueError(f"{type(node).__name__} is not part of the language")
    for part in parts:
        _check(part)


def _value(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return scope[node.id]
    if isinstance(node, ast.BoolOp):
        # Each side of its own: a NULL on one side of `or` must not hide the other.
        verdicts = [_verdict(part, scope) for part in node.values]
        return all(verdicts) if isinstance(node.op, ast.And) else any(verdicts)
    if isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.Not):
            return not _known(_value(node.operand, scope))
        return -_known(_value(node.operand, scope))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, scope), _value(node.right, scope)
        return _BINARY[type(node.op)](_number(left), _number(right))
    if isinstance(node, ast.Compare):
        values = [_known(_value(part, scope)) for part in (node.left, *node.comparators)]
        pairs = zip(node.ops, values, values[1:], strict=False)
        return all(_COMPARE[type(op)](a, b) for op, a, b in pairs)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return _CALLS[node.func.id](*(_known(_value(part, scope)) for part in node.args))


def _verdict(node: ast.expr, scope: Mapping[str, Any]) -> bool:
    try:
        return bool(_known(_value(node, scope)))
    except _UnknownError:
        return False


def _number(value: Any) -> Any:
    """Arithmetic is for numbers: a text times a number would grow without bounds."""
    if not isinstance(_known(value), int | float | Decimal):
        raise TypeError(f"no arithmetic with {type(value).__name__}")
    return float(value) if isinstance(value, Decimal) else value


def _known(value: Any) -> Any:
    if value is None or value != value:
        raise _UnknownError
    return value
