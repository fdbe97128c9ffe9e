"""Panels are looked up once for all who look, again once they are old, and at most so many are kept."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.panels.keeper import MOST_KEPT, Panels


class Watched:
    """Stands for a room whose desk takes `costs_s` for a look. over: its drill is."""

    code = "ABCDEF"

    def __init__(self, hands: list[float]) -> None:
        self.hands, self.looks, self.costs_s, self.over = hands, 0, 0.0, False

    def at_desk(self, look: Any) -> Any:
        if self.over:
            return None
        self.looks += 1
        self.hands[0] += self.costs_s
        return look(self)

    def lake(self) -> str:
        return f"look {self.looks}"


def kept() -> tuple[Watched, Panels, list[float]]:
    hands = [0.0]
    room = Watched(hands)
    return room, Panels(room, lambda: hands[0], 2.0), hands  # type: ignore[arg-type]


def test_a_look_is_good_for_a_while_and_each_panel_has_its_own():
    room, panels, hands = kept()

    first = [
        panels.seen("a", lambda lake: lake),
        panels.seen("b", lambda lake: lake),
        panels.seen("a", lambda lake: lake),
    ]
    hands[0] = 2.0
    again = panels.seen("a", lambda lake: lake)

    assert (first, again, room.looks) == (["look 1", "look 2", "look 1"], "look 3", 3)


def test_what_takes_long_is_looked_at_less_often():
    room, panels, hands = kept()
    room.costs_s = 1.0
    panels.seen("a", lambda lake: lake)

    hands[0] = 9.0
    panels.seen("a", lambda lake: lake)
    assert room.looks == 1
    hands[0] = 11.5
    panels.seen("a", lambda lake: lake)
    assert room.looks == 2


def test_what_was_not_looked_at_for_longest_goes_first():
    room, panels, _ = kept()
    for n in range(MOST_KEPT + 1):
        panels.seen(n, lambda lake: lake)

    panels.seen(MOST_KEPT, lambda lake: lake)
    assert room.looks == MOST_KEPT + 1
    panels.seen(0, lambda lake: lake)
    assert room.looks == MOST_KEPT + 2


def test_a_drill_that_is_over_and_a_lake_that_refuses_are_told_as_errors_and_not_kept():
    room, panels, _ = kept()

    def fails(lake: Any) -> Any:
        raise SandboxError("LAKE-002", where="SQL", seen="slow", expected="quick", fix="-")

    with pytest.raises(SandboxError, match="LAKE-002"):
        panels.seen("a", fails)
    assert panels.seen("a", lambda lake: lake) == "look 2"
    room.over = True
    with pytest.raises(SandboxError, match="ROOM-003"):
        panels.seen("b", lambda lake: lake)
