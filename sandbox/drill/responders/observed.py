"""What a drill tells a program: its briefing, answers to queries, its score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.drill.scenario.queries import first_row


@dataclass(frozen=True)
class Observation:
    """What is known as the drill begins. now, began: world seconds since the epoch; world_time: the same,
    as every table writes it. length_s: world seconds that the drill lasts. The words of a report:
    components, mechanisms by family, segment_columns; the actions: name -> argument -> what it is."""

    name: str
    title: str
    briefing: str
    world: str
    world_time: str
    now: float
    began: float
    length_s: float
    world_rate: float
    components: tuple[str, ...]
    mechanisms: Mapping[str, tuple[str, ...]]
    segment_columns: tuple[str, ...]
    actions: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Rows:
    """The answer to a query."""

    columns: list[str]
    rows: list[list[Any]]

    @property
    def first(self) -> dict[str, Any]:
        """The first row by column, empty without one."""
        return first_row(self.columns, self.rows)

    def records(self) -> list[dict[str, Any]]:
        """All rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Score:
    """score: 0..1. document: as `sandbox drill report --json` prints it."""

    score: float
    document: dict[str, Any] = field(repr=False)

    @property
    def items(self) -> dict[str, float]:
        """Points by item."""
        return {str(i["item"]): float(i["score"]) for i in self.document.get("items", [])}


def moment(when: object) -> float:
    """World seconds since the epoch of a time in an answer. Raises TypeError for anything else."""
    if not isinstance(when, datetime):
        raise TypeError(f"{when!r} is no time")
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
