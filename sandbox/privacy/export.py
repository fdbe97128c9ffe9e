"""All that is held of one person: every store, every row, and who saw it. For programs and for the person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.tombstones import n_users
from sandbox.privacy import models, people
from sandbox.privacy.columns import Who
from sandbox.privacy.erase import locked, runs_of
from sandbox.privacy.files import Rows
from sandbox.privacy.people import Person
from sandbox.privacy.stores import FAILURES, failure, stores

_SHOWN = 20  # rows of a store in the readable form; the JSON has all


@dataclass(frozen=True)
class Export:
    """stores: rows by store, of those that hold any. unreachable: why, by store. due: by when it is to be answered."""

    person: Person
    world: str
    stores: dict[str, Rows]
    unreachable: dict[str, dict[str, Any]]
    models: tuple[str, ...]
    due: list[dict[str, Any]]

    @property
    def complete(self) -> bool:
        return not self.unreachable

    def document(self) -> dict[str, Any]:
        return {
            "user": self.person.name, "world": self.world, "key": self.person.key,
            "jurisdiction": self.person.jurisdiction, "complete": self.complete, "due": self.due,
            "stores": self.stores, "unreachable": self.unreachable, "models": list(self.models),
        }  # fmt: skip


def export(world: Path, person: Person, *, progress: ProgressFn = quiet) -> Export:
    """Raises PRIV-004 while people are erased from this world."""
    held: dict[str, Rows] = {}
    lost: dict[str, dict[str, Any]] = {}
    with locked(world, shared=True):
        who = Who(np.array([person.user], np.int64), n_users(world))
        # The latent truth is the simulated person, not what a service holds of one: only the world reads it.
        there = [
            store for store in stores(world, who.n_users) if not store.name.startswith(f"worlds/{world.name}/latent/")
        ]
        for number, store in enumerate(there):
            progress("reading stores", number / len(there))
            try:
                rows = store.rows(who) if store.count(who) else []
            except FAILURES as error:
                lost[store.name] = failure(error)
                continue
            if rows:
                held[store.name] = rows
        seen = tuple(models.that_saw(world, who.users, runs_of(world)))
    return Export(person, world.name, held, lost, seen, people.due(world, [person], "access"))


def markdown(export: Export) -> str:
    """For the person: what, where, since when, in tables."""
    return "\n".join(_lines(export)) + "\n"


def _lines(export: Export) -> Iterator[str]:
    yield f"# What is held of user {export.person.name} in {export.world}"
    yield ""
    if not export.stores:
        yield "Nothing is held."
    for due in export.due:
        yield f"Asked on {due['asked']}, to be answered by {due['by']} ({due['law']}, article {due['article']})."
    if export.models:
        yield f"Models trained on a history that holds these events: {', '.join(export.models)}."
    for name, error in export.unreachable.items():
        yield f"**Could not be read: {name}** ({error['code']}: {error.get('seen')})"
    for name, rows in export.stores.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        yield from ("", f"## {name}: {len(rows):,} rows", "")
        yield "| " + " | ".join(columns) + " |"
        yield "|" + " --- |" * len(columns)
        for row in rows[:_SHOWN]:
            yield "| " + " | ".join(_cell(row.get(column)) for column in columns) + " |"
        if len(rows) > _SHOWN:
            yield ""
            yield f"… and {len(rows) - _SHOWN:,} more, in the JSON."


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
    return (text if len(text) <= 60 else text[:59] + "…").replace("|", "\\|").replace("\n", " ")
