"""Panels are looked up once for all who look, again once they are old, and at most so many are kept."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.panels.keeper import BURST_S, MOST_KEPT, Panels


class Watched:
    """Stands for a room whose desk takes `costs_s` for a look. over: its drill is, and its lake gone."""

    code = "ABCDEF"

    def __init__(self, hands: list[float]) -> None:
        self.hands, self.looks, self.costs_s, self.over = hands, 0, 0.0, False

    def look_up(self, sql: str, max_rows: int) -> Any:
        if self.over:
            raise SandboxError("ROOM-003", where="room", seen="its telemetry is gone", expected="-", fix="-")
        self.looks += 1
        self.hands[0] += self.costs_s
        return f"look {self.looks}", self.costs_s


def asked(lake: Any) -> Any:
    return lake.query("SELECT 1")


def kept() -> tuple[Watched, Panels, list[float]]:
    hands = [0.0]
    room = Watched(hands)
    return room, Panels(room, lambda: hands[0], 2.0), hands  # type: ignore[arg-type]


def test_a_look_is_good_for_a_while_and_each_panel_has_its_own():
    room, panels, hands = kept()

    first = [
        panels.seen("a", asked).document,
        panels.seen("b", asked).document,
        panels.seen("a", asked).document,
    ]
    hands[0] = 2.0
    again = panels.seen("a", asked).document

    assert (first, again, room.looks) == (["look 1", "look 2", "look 1"], "look 3", 3)


def test_what_takes_long_is_looked_at_less_often():
    room, panels, hands = kept()
    room.costs_s = 1.0
    panels.seen("a", asked)

    hands[0] = 4.5
    panels.seen("a", asked)
    assert room.looks == 1
    hands[0] = 5.5
    panels.seen("a", asked)
    assert room.looks == 2


def test_what_was_not_looked_at_for_longest_goes_first():
    room, panels, _ = kept()
    for n in range(MOST_KEPT + 1):
        panels.seen(n, asked)

    panels.seen(MOST_KEPT, asked)
    assert room.looks == MOST_KEPT + 1
    panels.seen(0, asked)
    assert room.looks == MOST_KEPT + 2


def test_a_drill_whose_lake_is_gone_and_a_lake_that_refuses_are_told_as_errors_and_not_kept():
    room, panels, _ = kept()

    def fails(lake: Any) -> Any:
        asked(lake)
        raise SandboxError("LAKE-002", where="SQL", seen="slow", expected="quick", fix="-")

    with pytest.raises(SandboxError, match="LAKE-002"):
        panels.seen("a", fails)
    assert panels.seen("a", asked).document == "look 2"
    room.over = True
    with pytest.raises(SandboxError, match="ROOM-003"):
        panels.seen("b", asked)


def test_looks_together_leave_the_desk_most_of_its_time():
    """Whoever looks for ever other things is held off; what was seen before stays to be seen meanwhile."""
    room, panels, hands = kept()
    room.costs_s = BURST_S

    first = panels.seen("a", asked)
    panels.seen("b", asked)
    hands[0] += 2.0
    with pytest.raises(SandboxError, match="ROOM-005"):
        panels.seen("c", asked)
    hands[0] = BURST_S * 13  # no longer good, and looks may go on
    panels.seen("b", asked)
    panels.seen("d", asked)
    looks = room.looks
    hands[0] += 1.0
    with pytest.raises(SandboxError, match="ROOM-005"):
        panels.seen("e", asked)

    assert panels.seen("a", asked) == first
    assert room.looks == looks
