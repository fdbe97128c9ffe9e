"""The thread that keeps a room's world going, and what it does when that fails."""

from __future__ import annotations

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.play import standing
from sandbox.room.kept import kept
from tests.services.waiting import wait_for
from tests.unit.room.desk import WORLD_START, Scene


def test_a_room_that_is_kept_ticks(opened: Scene):
    opened.join("Ann", "commander")
    with kept(opened.room, every_s=0.01):
        wait_for(lambda: opened.hands.__setitem__(0, opened.hands[0] + 1) or opened.room.now() > WORLD_START + 60, 10)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SandboxError("DRILL-006", where="drill", seen="x", expected="y", fix="z"), "DRILL-006"),
        (ZeroDivisionError("deep inside"), "RUN-008"),
    ],
    ids=["typed", "unforeseen"],
)
def test_a_world_that_fails_ends_its_room_and_says_so(opened: Scene, monkeypatch, error, code):
    ann = opened.join("Ann", "commander")

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(opened.desk, "wait", fails)
    with kept(opened.room, every_s=0.01):
        wait_for(lambda: opened.hands.__setitem__(0, opened.hands[0] + 1) or "ended" in opened.kinds(), 10)

    ended = opened.room.state(ann)["room"]["ended"]
    assert code in ended
    assert standing.is_over(opened.desk.drill), "nobody would end it otherwise"
    assert opened.desk.closed
    assert "deep inside" not in ended
