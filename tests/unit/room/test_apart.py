"""The two sides of a world in a process of its own, over a real pipe, with a thread for the process and a stand-in for its world."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from sandbox.base.errors import SandboxError
from sandbox.drill.play.report import Report
from sandbox.room.apart import world
from sandbox.room.apart.desk import BACK, ENDED, MOST_DEATHS, DeskApart
from sandbox.room.apart.told import tell_of_its_process
from sandbox.room.journal import RoomJournal
from sandbox.room.room import Room
from sandbox.runtime.operate.operations import Operations
from tests.services.waiting import wait_for
from tests.unit.drill.desk import WORLD_START, begun_drill
from tests.unit.room.desk import GRADE, PAGE_S, Marks, Scene, StandIn


class Died(BaseException):
    """As SIGKILL: nothing is answered any more."""


class Threads:
    """A nursery whose worlds are threads of this process. They die at what is named in `deadly`."""

    def __init__(self) -> None:
        self.deadly, self.born_so_far, self.gone_so_far = set[str](), 0, 0
        self.desks: list[StandIn] = []

    def born(self) -> Connection:
        ours, theirs = Pipe()
        self.born_so_far += 1
        threading.Thread(target=self._live, args=(theirs,), daemon=True).start()
        return ours

    def gone(self) -> None:
        self.gone_so_far += 1

    def _live(self, connection: Connection) -> None:
        with suppress(Died, OSError):
            world.serve(connection)
        if self.desks and not self.desks[-1].closed:
            self.desks[-1].close()  # the kernel lets go of the lock
        connection.close()


@pytest.fixture
def nursery(place: Path, monkeypatch: pytest.MonkeyPatch) -> Threads:
    """Its worlds are stand-ins on one drill, which remember where they were, as a replay brings them there."""
    made, drill = Threads(), begun_drill(place)

    def begun(*_: Any, **__: Any) -> StandIn:
        desk = StandIn(drill)
        if made.desks:
            desk.clock, desk.changes = made.desks[-1].clock, made.desks[-1].changes
        for name in ("wait", "act", "abandon"):
            monkeypatch.setattr(desk, name, deadly(name, getattr(desk, name)), raising=False)
        made.desks.append(desk)
        return desk

    def deadly(name: str, do: Any) -> Any:
        def done(*arguments: Any, **named: Any) -> Any:
            if name in made.deadly:
                raise Died
            return do(*arguments, **named)

        return done

    monkeypatch.setattr(world.VirtualDesk, "start", begun)
    monkeypatch.setattr(world.VirtualDesk, "resume", begun)
    monkeypatch.setattr(Operations, "records", lambda self: made.desks[-1].changes.made)
    return made


@pytest.fixture
def desk(nursery: Threads) -> Iterator[DeskApart]:
    made = DeskApart.start(None, "tiny", 1, run_dir=Path("none"), nursery=nursery)  # type: ignore[arg-type]
    yield made
    made.close()


def test_it_does_what_a_desk_does(desk: DeskApart, nursery: Threads):
    desk.wait(WORLD_START + 60)
    seen = desk.preview("restart service=stream")
    done = desk.act(seen.text)

    assert desk.now() == nursery.desks[0].clock == WORLD_START + 60
    assert desk.began_ts == WORLD_START
    assert seen.preview.touches == ["stream"]
    assert (done.n, done.op) == (1, "restart")
    desk.file(Report(incident=False))
    assert [entry.what for entry in desk.drill.entries()][-1] == "report"


def test_what_is_refused_there_is_refused_here_in_all_its_parts(desk: DeskApart):
    with pytest.raises(SandboxError) as refused:
        desk.preview("restart service=rules")

    assert refused.value.as_json() | {"title": ""} == {
        "code": "DRILL-007", "title": "", "where": "act", "seen": "restart service=rules", "expected": "another", "fix": "-",
    }  # fmt: skip


def test_what_nobody_foresaw_is_told_without_its_words(desk: DeskApart, nursery: Threads, monkeypatch, capfd):
    """They may name a fault, and whoever asked may be a trainee."""
    monkeypatch.setattr(nursery.desks[0], "hint", lambda: 1 / 0, raising=False)

    def fails(action: str) -> None:
        raise RuntimeError("rpc-edge-latency on gateway")

    monkeypatch.setattr(nursery.desks[0], "preview", fails)
    with pytest.raises(SandboxError) as failed:
        desk.preview("anything")

    assert failed.value.kind.code == "RUN-008"
    assert "rpc-edge" not in str(failed.value)
    assert "rpc-edge" in capfd.readouterr().err
    desk.wait(WORLD_START + 15)


def test_a_world_that_dies_is_taken_up_and_goes_on(desk: DeskApart, nursery: Threads):
    told = list[str]()
    desk.tell = told.append
    desk.wait(WORLD_START + 30)
    nursery.deadly.add("wait")
    desk.taken_up = nursery.deadly.clear

    desk.wait(WORLD_START + 60)

    assert desk.now() == WORLD_START + 60
    assert told == [ENDED, BACK]
    assert (nursery.born_so_far, nursery.gone_so_far) == (2, 1)


def test_what_would_be_done_twice_is_not_asked_again(desk: DeskApart, nursery: Threads):
    nursery.deadly.add("act")

    with pytest.raises(SandboxError, match="RUN-003"):
        desk.act("restart service=stream")

    nursery.deadly.clear()
    assert desk.act("restart service=stream").n == 1


def test_one_that_dies_of_its_drill_stays_down(desk: DeskApart, nursery: Threads):
    told = list[str]()
    desk.tell = told.append
    nursery.deadly.add("wait")

    with pytest.raises(SandboxError, match="ended 4 times"):
        desk.wait(WORLD_START + 60)

    assert nursery.born_so_far == nursery.gone_so_far == MOST_DEATHS + 1
    assert told.count(BACK) == MOST_DEATHS
    with pytest.raises(SandboxError, match="not taken up again"):
        desk.abandon()


def test_why_a_world_is_not_taken_up_is_told_to_nobody_who_asks(desk: DeskApart, nursery: Threads, monkeypatch, caplog):
    """Where it went another way, the error says what happened in the drill and when."""

    def other(*_: Any, **__: Any) -> StandIn:
        raise SandboxError("DRILL-006", where="replay", seen="`armed` at 1772445600", expected="as before", fix="-")

    monkeypatch.setattr(world.VirtualDesk, "resume", other)
    nursery.deadly.add("wait")

    with pytest.raises(SandboxError, match="RUN-003") as refused:
        desk.wait(WORLD_START + 60)

    assert "armed" not in str(refused.value)
    assert "armed" in caplog.text


def test_a_report_that_was_taken_before_its_world_died_is_told(
    desk: DeskApart, nursery: Threads, place: Path, monkeypatch
):
    hands = [0.0]
    room = Room(
        "ABCDEF", RoomJournal(place / "room.jsonl"), desk.drill, desk, Marks(GRADE), wall=lambda: 1_000.0,
        clock=lambda: hands[0],
    )  # fmt: skip
    tell_of_its_process(room, desk)
    room.open(held=False)
    scene = Scene(room, nursery.desks[0], RoomJournal(place / "room.jsonl"), hands)
    ann = scene.join("Ann", "commander")
    scene.pass_(PAGE_S / 60 + 1)
    file = nursery.desks[0].file

    def over(*_: Any, **__: Any) -> StandIn:
        raise SandboxError("DRILL-006", where="replay", seen="a drill that is over", expected="one that runs", fix="-")

    def takes_it_and_dies(report: Report) -> None:
        file(report)
        raise Died

    monkeypatch.setattr(world.VirtualDesk, "resume", over)
    nursery.desks[0].file = takes_it_and_dies  # type: ignore[assignment]
    with pytest.raises(SandboxError, match="RUN-003"):
        scene.do(ann, "file_report", report={"incident": False})
    room.end_by_itself("its drill failed")

    assert "report_filed" in scene.kinds()
    assert "ended" not in scene.kinds()
    room.close()


def test_a_room_says_that_its_world_died_and_what_was_done_there_untold(desk: DeskApart, nursery: Threads, place: Path):
    """An action reaches the stack, and its process dies before it can answer."""
    hands = [0.0]
    room = Room(
        "ABCDEF", RoomJournal(place / "room.jsonl"), desk.drill, desk, Marks(GRADE), wall=lambda: 1_000.0,
        clock=lambda: hands[0],
    )  # fmt: skip
    tell_of_its_process(room, desk)
    room.open(held=False)
    scene = Scene(room, nursery.desks[0], RoomJournal(place / "room.jsonl"), hands)
    ann = scene.join("Ann", "commander")
    act = nursery.desks[0].act

    def acts_and_dies(action: str) -> None:
        act(action)
        raise Died

    nursery.desks[0].act = acts_and_dies  # type: ignore[assignment]
    with pytest.raises(SandboxError, match="RUN-003"):
        scene.do(ann, "act", action="restart service=stream")

    wait_for(lambda: "acted" in scene.kinds(), within_s=10)
    state = room.state(ann)
    assert [m["text"] for m in state["messages"]] == [ENDED, BACK]
    assert [a["action"] for a in state["actions"]] == ["restart service=stream"]
    scene.pass_(2)
    assert room.now() > WORLD_START, "it goes on"
    room.close()
