"""Several rooms made side by side: the first alone, errors told each by itself, and none left open by what was broken off."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sandbox.base.errors import SandboxError
from sandbox.room.room import Room
from sandbox.room.several import side_by_side
from tests.unit.room.desk import scene


@pytest.fixture
def rooms(place: Path) -> list[Room]:
    made = []
    for n in range(3):
        (place / str(n)).mkdir()
        made.append(scene(place / str(n)).room)
    return made


def closed(rooms: list[Room]) -> list[bool]:
    return [room._at_desk._shutdown for room in rooms]


def test_after_the_first_they_are_made_side_by_side_and_come_in_their_order(rooms: list[Room]):
    both, first_was_done = threading.Barrier(2), threading.Event()

    def first(_progress: object) -> Room:
        first_was_done.set()
        return rooms[0]

    def other(n: int):
        def make(_progress: object) -> Room:
            assert first_was_done.is_set()
            both.wait(20)  # passed only where two are made at once
            return rooms[n]

        return make

    told: list[tuple[str, float | None]] = []
    made = side_by_side([first, other(1), other(2)], lambda what, share=None: told.append((what, share)), cores=2)

    assert made == rooms
    assert told == [("rooms", pytest.approx(2 / 3)), ("rooms", 1.0)]
    for room in rooms:
        room.close()


def test_one_that_is_refused_keeps_no_other_from_being_made(rooms: list[Room]):
    refused = SandboxError("RUN-003", where="its world", seen="-", expected="-", fix="-")

    def fails(_progress: object) -> Room:
        raise refused

    made = side_by_side([fails, lambda _: rooms[0], fails, lambda _: rooms[1]])

    assert made == [refused, rooms[0], refused, rooms[1]]
    for room in rooms:
        room.close()


def test_what_breaks_it_off_is_raised_at_once_and_leaves_no_room_open_that_was_made(rooms: list[Room]):
    """Nobody waits for a world that is being begun: with the process it ends."""
    never, progressed = threading.Event(), []

    def begins(_progress: object) -> Room:
        assert never.wait(60)
        return rooms[2]

    def told(*_told: object) -> None:
        progressed.append(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side([lambda _: rooms[0], begins, lambda _: rooms[1]], told, cores=2)

    assert progressed == [1]
    assert closed(rooms) == [True, True, False]
    never.set()
    rooms[2].close()


def test_what_nobody_foresaw_in_one_is_raised(rooms: list[Room]):
    def breaks(_progress: object) -> Room:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        side_by_side([lambda _: rooms[0], breaks], cores=2)

    assert closed(rooms)[0]
    for room in rooms[1:]:
        room.close()
