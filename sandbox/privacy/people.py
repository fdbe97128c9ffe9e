"""People by the names that commands are given, and by when they are to be answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.base import tombstones
from sandbox.base.errors import SandboxError
from sandbox.base.tombstones import n_users
from sandbox.privacy.deadlines import due as due_on
from sandbox.privacy.rules import Answered, day_of, in_force


@dataclass(frozen=True)
class Person:
    """name: as they were asked for. user: the world's number. key: the source's own; empty, as is jurisdiction, of
    who is erased."""

    name: str
    user: int
    key: str
    jurisdiction: str


def found(world: Path, names: Sequence[str], *, by_key: bool = False) -> list[Person]:
    """The people of these names, each once, in that order. by_key: names are the source's keys, not the world's
    numbers. Raises PRIV-002 for one whom the world never had, PRIV-003."""
    path = world / "public" / "users.parquet"
    try:
        table = pq.read_table(path, columns=["user_id", "key", "jurisdiction"]).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise SandboxError(
            "WORLD-003", where=str(path), seen=str(error)[:200], expected="the world's users",
            fix="build or import the world anew with --force; who is erased stays so",
        ) from error  # fmt: skip
    rows = {
        user: (key, law) for user, key, law in zip(table["user_id"], table["key"], table["jurisdiction"], strict=True)
    }
    numbers = {key: user for user, (key, _) in rows.items()}
    stones, total = tombstones.load(world), n_users(world)
    people: dict[int, Person] = {}
    for name in names:
        user = numbers.get(name) if by_key else _number(name, total)
        if user is None:
            raise _unknown(world, name, total, by_key, stones)
        if user in rows:
            people.setdefault(user, Person(name, user, *rows[user]))
        elif stones.of(user) is not None:
            people.setdefault(user, Person(name, user, "", ""))
        else:
            raise _unknown(world, name, total, by_key, stones)
    return list(people.values())


def due(world: Path, who: Iterable[Person], kind: str) -> list[dict[str, Any]]:
    """By when a request that came in today is answered, by law: [{law, article, rule, asked, by, confirm_by}].

    Today is the last day of the world's history, which decides what is law.
    """
    today = day_of(clock(world))
    answers = []
    for jurisdiction in sorted({person.jurisdiction for person in who} - {""}):
        for cited in in_force(jurisdiction, today):
            demands = cited.rule.demands
            if isinstance(demands, Answered) and demands.kind == kind:
                confirm = due_on(today, demands.confirm).isoformat() if demands.confirm else None
                answers.append({
                    "law": cited.law.law, "article": cited.rule.article, "rule": cited.rule.id,
                    "asked": today.isoformat(), "by": due_on(today, demands.deadline).isoformat(), "confirm_by": confirm,
                })  # fmt: skip
    return answers


def clock(world: Path) -> float:
    """World seconds since the epoch: the end of its history."""
    return float(json.loads((world / "world.json").read_text())["history_end_ts"])


def _number(name: str, total: int) -> int | None:
    return int(name) if name.isascii() and name.isdigit() and int(name) < total else None


def _unknown(world: Path, name: str, total: int, by_key: bool, stones: tombstones.Tombstones) -> SandboxError:
    if by_key and len(stones.keys([name])):
        return SandboxError(
            "PRIV-002", where=f"world {world.name}", seen=f"key {name}",
            expected="a key that the world knows; that one was erased, and its number is not told",
            fix="nothing is held under it: sandbox privacy audit shows that",
        )  # fmt: skip
    return SandboxError(
        "PRIV-002",
        where=f"world {world.name}",
        seen=name,
        expected="a key of the source" if by_key else f"a number from 0 to {total - 1}",
        fix="ask by the source's own key with --key" if not by_key else "ask by the world's number, without --key",
    )
