"""The room that a process has to work in: handlers, processor, memory, collector. The payload of the point `process`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the registry of points, which the seams know, names this as an answer
    from services.skeleton.seams import Place

TICK_S = 0.25  # wall seconds between two questions
Held = Callable[[str, "Place"], float]


def not_held(method: str, place: Place) -> float:
    """No call keeps its handler longer than its work takes."""
    del method, place
    return 0.0


@dataclass(frozen=True)
class Room:
    """handlers: calls that are handled at once; further ones wait for one of them to end. held_s: by method and
    place, how many wall seconds a call keeps its handler before its own work begins, the processor unused.

    neighbours: cores' worth of work that others of the machine, who are in no stack, do beside it; all processes
    of the machine share what there is with them. quota: processor seconds that it may use per wall second; None for as
    many as it gets. It is counted by periods of period_s, and a process that has used up its part of one stands still until
    the next begins.

    memory_mb: that it holds beyond what it uses. collector_s: wall seconds, each time that it asks, in which full
    collections of its garbage collector let nothing else go on.
    """

    handlers: int
    held_s: Held = not_held
    neighbours: float = 0.0
    quota: float | None = None
    period_s: float = 0.1
    memory_mb: float = 0.0
    collector_s: float = 0.0

    def __post_init__(self) -> None:
        if self.handlers < 1:
            raise ValueError("handlers: at least one, or nothing is ever answered")
        if self.neighbours < 0 or self.period_s <= 0 or (self.quota is not None and self.quota <= 0):
            raise ValueError("neighbours, quota, period_s: above 0, or no process ever goes on")
        if self.memory_mb < 0 or not 0 <= self.collector_s < TICK_S:
            raise ValueError(f"memory_mb, collector_s: at least 0, and less than the {TICK_S} s until it asks again")
