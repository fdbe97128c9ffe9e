"""The room that a process has to work in: its handlers, and what holds them up. The payload of the point `process`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the registry of points, which the seams know, names this as an answer
    from services.skeleton.seams import Place

Held = Callable[[str, "Place"], float]


def not_held(method: str, place: Place) -> float:
    """No call keeps its handler longer than its work takes."""
    del method, place
    return 0.0


@dataclass(frozen=True)
class Room:
    """handlers: calls that are handled at once; further ones wait for one of them to end. held_s: by method and
    place, how many wall seconds a call keeps its handler before its own work begins, the processor unused."""

    handlers: int
    held_s: Held = not_held

    def __post_init__(self) -> None:
        if self.handlers < 1:
            raise ValueError("handlers: at least one, or nothing is ever answered")
