"""Predicates held against the columns of their query: types, and whether they decide anything. Pure."""

from __future__ import annotations

import ast
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sandbox.drill.scenario.predicate import Predicate, PredicateError

Kind = Literal["number", "text", "time", "truth", "other"]
Verdict = tuple[str, str]  # what is wrong, and what to do
TRIES = 3_000
_ANY_TIME = datetime(2026, 3, 2, 8)
_NUMBERS = (-1e9, -1.0, -0.5, 0.0, 0.25, 0.5, 0.9, 1.0, 2.0, 10.0, 100.0, 1e4, 1e9)
_COUNTS = (0, 1, 2, 3, 5, 20, 100, 1_000, 1_000_000)


def kind_of(duckdb_type: str) -> Kind:
    """What a column holds for a predicate. duckdb_type: as the answer names it."""
    name = duckdb_type.upper().partition("(")[0]
    if name.endswith("[]") or name in ("STRUCT", "MAP", "LIST", "BLOB"):
        return "other"
    if name == "BOOLEAN":
        return "truth"
    if ("INT" in name and name != "INTERVAL") or name in ("DOUBLE", "FLOAT", "DECIMAL", "NUMBER", "REAL"):
        return "number"
    if name.startswith("TIMESTAMP") or name in ("DATE", "DATETIME"):
        return "time"
    return "text" if name in ("VARCHAR", "STRING", "UUID", "ENUM") else "other"


def mismatch(predicate: Predicate, kinds: Mapping[str, Kind]) -> str | None:
    """The first thing that the types of the columns do not allow, None when all of it is allowed."""
    try:
        _kind(predicate.tree, kinds)
    except TypeError as error:
        return str(error)
    return None


def undecided(
    predicate: Predicate, kinds: Mapping[str, Kind], counts: Sequence[str] = ()
) -> Iterator[tuple[bool, str, str]]:
    """What decides nothing: (certain, part of the text, always what). counts: columns that are never
    below 0. Tried with values on both sides of every number that the predicate names."""
    whole = _verdicts(predicate.tree, kinds, counts, predicate.text)
    if False not in whole:
        yield True, predicate.text, "true"
        return
    parts = predicate.tree.values if isinstance(predicate.tree, ast.BoolOp) else []
    dead = False
    for part in parts:
        told = ast.unparse(part)
        seen = _verdicts(part, kinds, counts, told)
        if seen == {True}:
            yield isinstance(predicate.tree.op, ast.Or), told, "true"  # type: ignore[attr-defined]
        if seen == {False}:
            dead = True
            yield isinstance(predicate.tree.op, ast.And), told, "false"  # type: ignore[attr-defined]
    if whole == {False} and not dead:
        yield _plain(predicate.tree), predicate.text, "false"


def _kind(node: ast.expr, kinds: Mapping[str, Kind]) -> Kind:
    if isinstance(node, ast.Constant):
        return "truth" if isinstance(node.value, bool) else "text" if isinstance(node.value, str) else "number"
    if isinstance(node, ast.Name):
        return kinds.get(node.id, "other")
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _kind(part, kinds)
        return "truth"
    if isinstance(node, ast.UnaryOp):
        inner = _kind(node.operand, kinds)
        if isinstance(node.op, ast.Not):
            return "truth"
        return _numeric(node.operand, inner)
    if isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            _numeric(side, _kind(side, kinds))
        return "number"
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, right in itertools.pairwise(sides):
            _same(left, right, _kind(left, kinds), _kind(right, kinds))
        return "truth"
    assert isinstance(node, ast.Call)
    found = [_kind(argument, kinds) for argument in node.args]
    if isinstance(node.func, ast.Name) and node.func.id == "abs":
        return _numeric(node.args[0], found[0])
    for a, b in itertools.pairwise(zip(node.args, found, strict=True)):
        _same(a[0], b[0], a[1], b[1])
    return found[0]


def _numeric(node: ast.expr, kind: Kind) -> Kind:
    if kind not in ("number", "truth"):
        raise TypeError(f"no arithmetic with {ast.unparse(node)}, which is a {kind}")
    return "number"


def _same(left: ast.expr, right: ast.expr, one: Kind, other: Kind) -> None:
    numeric = {"number", "truth"}
    if (one == other and one != "other") or {one, other} <= numeric:
        return
    raise TypeError(f"{ast.unparse(left)} is a {one}, {ast.unparse(right)} a {other}: they do not compare")


def _verdicts(tree: ast.expr, kinds: Mapping[str, Kind], counts: Sequence[str], text: str) -> set[bool]:
    """What it comes to over the values tried."""
    predicate = Predicate(text, tree)
    names = sorted(predicate.names)
    constants = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    pools = [_pool(kinds.get(name, "other"), constants, name in counts) for name in names]
    seen: set[bool] = set()
    for values in _combinations(pools):
        try:
            seen.add(predicate.holds(dict(zip(names, values, strict=True)), _rows(names, values)))
        except PredicateError:
            return {True, False}  # told of as a mismatch
        if len(seen) == 2:
            break
    return seen


def _rows(names: Sequence[str], values: Sequence[Any]) -> int:
    return int(values[list(names).index("rows")]) if "rows" in names else 1


def _pool(kind: Kind, constants: Sequence[Any], count: bool) -> list[Any]:
    texts = [c for c in constants if isinstance(c, str)]
    numbers = [float(c) for c in constants if isinstance(c, int | float)]
    if kind == "text":
        return [*texts, *(t + "x" for t in texts), "", "something else"]
    if kind == "truth":
        return [True, False]
    if kind == "time":
        return [_ANY_TIME + timedelta(hours=h) for h in (-1, 0, 1)]
    near = {
        c * f + d
        for c in (*numbers, *(a * b for a in numbers for b in numbers))
        for f in (0.5, 1, 2)
        for d in (-1, 0, 1)
    }
    pool = sorted({*_NUMBERS, *near})
    return [int(v) for v in sorted({*_COUNTS, *(v for v in pool if v >= 0 and v == int(v))})] if count else pool


def _combinations(pools: Sequence[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    size = 1
    for pool in pools:
        size *= len(pool)
    if size <= TRIES:
        yield from itertools.product(*pools)
        return
    luck = random.Random(0)  # one of its own, so that a check says the same each time
    for _ in range(TRIES):
        yield [luck.choice(pool) for pool in pools]


def _plain(tree: ast.expr) -> bool:
    """Whether it only compares columns with constants, so that the values tried settle it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.Call):
            return False
        if isinstance(node, ast.Compare) and sum(isinstance(s, ast.Name) for s in (node.left, *node.comparators)) > 1:
            return False
    return True
