"""A desk without a stack, and a room on it, for the tests of rooms."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.play import by_hand, drills, standing
from sandbox.drill.play.desk import Slate
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.report import Report
from sandbox.room.commands import parsed, parsed_join
from sandbox.room.journal import RoomJournal
from sandbox.room.room import Room
from sandbox.runtime.operate.operations import Record
from sandbox.runtime.operate.planning import Preview
from sandbox.telemetry.sql import Result
from tests.services.waiting import wait_for
from tests.unit.drill.desk import WORLD_START, begun_drill

PAGE_S = 1_200.0
WINDOW_S = 15.0  # a world goes on in windows, as a virtual one does
GRADE = {"score": 0.5, "items": [{"item": "component", "score": 0.0, "max": 0.2, "why": "it was stream-lag"}]}


@dataclass
class Marks:
    """A `Grader` that knows the grade beforehand, or fails."""

    document: dict[str, Any] | Exception
    closed: bool = False

    def __call__(self, drill: Drill) -> dict[str, Any]:
        if isinstance(self.document, Exception):
            raise self.document
        return dict(self.document)

    def close(self) -> None:
        self.closed = True


@dataclass
class Planned:
    text: str
    preview: Preview


@dataclass
class Changes:
    made: list[Record] = field(default_factory=list)

    def records(self) -> list[Record]:
        return self.made

    def enter(self, ts: float, actor: str, op: str, arguments: dict[str, str], **told: Any) -> Record:
        record = Record(len(self.made) + 1, ts, actor, op, arguments, **told)
        self.made.append(record)
        return record


class Hands:
    """A stack as a hand reaches it: what is on, and the changes."""

    def __init__(self, desk: StandIn) -> None:
        self.desk, self.on = desk, dict[str, tuple[str, str]]()
        self.operations: Any = self

    def records(self) -> list[Record]:
        return self.desk.changes.records()

    def arm(self, name: str, service: str, spec: dict[str, Any]) -> None:
        assert name not in self.on, "each is armed once"
        self.on[name] = (service, spec["fault"])

    def disarm(self, name: str, service: str) -> None:
        assert self.on.pop(name)[0] == service

    def release(self, step: Any, seed: int, faulty: bool) -> str:
        self.desk.changes.enter(self.desk.clock, "release-bot", "release", {}, target=step.target, key=step.release.key,
                                old="a", new="b", before={"x": {"y": 1}})  # fmt: skip
        return "a -> b"

    def revert(self, n: int, actor: str) -> Record:
        return self.desk.changes.enter(self.desk.clock, actor, "revert", {"change": str(n)}, target="stream", key="process",
                                       old="b", new="a", before={"x": {"y": 2}})  # fmt: skip

    def note(self, *, actor: str, op: str, arguments: dict[str, str], note: str, **told: str) -> Record:
        return self.desk.changes.enter(self.desk.clock, actor, op, arguments, note=note, **told)


class StandIn:
    """A `Desk` on a real drill's files. Its world moves when it is told to; the page comes after PAGE_S.

    gate: asking waits for it, so that a test can hold the desk."""

    def __init__(self, drill: Drill, stands_still: bool = True) -> None:
        self.drill, self.stands_still, self.clock = drill, stands_still, WORLD_START
        self.changes, self.gate, self.asked, self.closed = Changes(), threading.Event(), list[str](), False
        self.looked, self.answers, self.hands = 0, None, Hands(self)
        self.gate.set()
        self._lock = drills.lock(Path(drill.plan.run_dir))
        self._lock.__enter__()

    @property
    def began_ts(self) -> float:
        return WORLD_START

    def now(self) -> float:
        return self.clock

    def wait(self, until_ts: float, *, to_the_page: bool = False) -> None:
        assert until_ts >= self.clock, "the world never goes back"
        self.clock = WORLD_START + math.ceil((until_ts - WORLD_START) / WINDOW_S - 1e-6) * WINDOW_S
        if until_ts >= WORLD_START + PAGE_S and self.paged() is None:
            self.drill.journal.append(until_ts, "engine", "page", text="PAGE it is slow")

    def paged(self) -> float | None:
        return self.drill.paged()

    def ask(self, sql: str) -> Result:
        return self.lake().query(sql)

    def lake(self) -> StandIn:
        return self

    def query(self, sql: str, max_rows: int | None = None) -> Result:
        """What somebody asks, who names no limit; what an overview is told; or what a test has it answer. answers: of a
        query -> its rows."""
        if max_rows is None:
            return self._answered(sql)
        self.looked += 1
        if self.answers is not None:
            rows = self.answers(sql)
            return Result([f"c{n}" for n in range(len(rows[0]))] if rows else [], [], rows)
        if "AS what" not in sql:  # not the overview's
            return Result([], [], [])
        rows = [["edge", "gateway", "features", 2.0, 0.5, 12.0, 1], ["signal", "ctr", "", self.clock, 0.04, None, 1]]
        return Result(list("wnoabcn"), ["VARCHAR"] * 7, rows)

    def _answered(self, sql: str) -> Result:
        self.asked.append(sql)
        assert self.gate.wait(10)
        if sql == "wrong":
            raise SandboxError("LAKE-004", where="SQL", seen=sql, expected="SQL", fix="-")
        return Result([":n", "n"], ["BIGINT", "BIGINT"], [[i, float("nan")] for i in range(500)])

    def operations(self) -> Changes:
        return self.changes

    def preview(self, action: str) -> Planned:
        if "stream" not in action:
            raise SandboxError("DRILL-007", where="act", seen=action, expected="another", fix="-")
        return Planned(action, Preview("restarts it", ["stream"], 0.1, False))

    def act(self, action: str) -> Record:
        op, _, rest = self.preview(action).text.partition(" ")
        arguments = dict(part.split("=") for part in rest.split())
        n = len(self.changes.made) + 1
        return self.changes.enter(self.clock, "operator", op, arguments, target="stream", key="process", old="running",
                                  new="restarted", before={"x": {"y": n}})  # fmt: skip

    def by_hand(self, deed: dict[str, Any]) -> dict[str, Any]:
        return by_hand.done_once(self.drill, deed, self.hands, self.clock, lambda: None)

    def came_to(self) -> tuple[Any, float] | None:
        return None

    def recommend(self, user: int, k: int) -> Slate:
        self.wait(self.clock + 30)
        return Slate("r1", ["#", "title"], [[1, "A film"]])

    def status(self) -> dict[str, Any]:
        return standing.status(self.drill, self.clock)

    def hint_offer(self) -> str:
        return standing.hint_offer(self.drill)

    def hint(self) -> str:
        return standing.hint(self.drill, self.clock)

    def file(self, report: Report, progress: Any = None) -> None:
        self.drill.journal.append(self.clock, "trainee", "report", report=report.model_dump(mode="json"))

    def abandon(self, progress: Any = None) -> None:
        self.drill.journal.append(self.clock, "trainee", "abandoned")

    def close(self) -> None:
        self.closed = True
        self._lock.__exit__(None, None, None)


@dataclass
class Scene:
    """A room on a stand-in, whose wall clock is turned by hand."""

    room: Room
    desk: StandIn
    journal: RoomJournal
    hands: list[float]  # the monotonic wall clock, one number

    def join(self, name: str, role: str) -> str:
        return self.room.join(parsed_join({"name": name, "role": role})).participant

    def do(self, who: str, kind: str, **fields: Any) -> int:
        return self.room.submit(who, parsed({"kind": kind, **fields}))

    def pass_(self, wall_s: float, tick_s: float = 0.25) -> None:
        """So many wall seconds go by, with ticks."""
        for _ in range(round(wall_s / tick_s)):
            self.hands[0] += tick_s
            self.room.tick()

    def kinds(self) -> list[str]:
        return [event.kind for event in self.room.events]

    def what(self, seq: int) -> Any:
        return self.room.events[seq - 1].what

    def wait_for(self, kind: str) -> Any:
        """What the first event of that kind says, once it is there."""
        wait_for(lambda: kind in self.kinds(), within_s=10)
        return next(event.what for event in self.room.events if event.kind == kind)

    def again(self) -> Scene:
        """Another process takes the room up from its journal, after this one was killed."""
        desk = StandIn.__new__(StandIn)
        desk.__dict__ = self.desk.__dict__
        hands = [0.0]
        room = made(self.journal, self.desk.drill, desk, hands)
        room.take_up()
        return Scene(room, desk, self.journal, hands)


def made(journal: RoomJournal, drill: Drill, desk: StandIn | None, hands: list[float]) -> Room:
    return Room("ABCDEF", journal, drill, desk, Marks(GRADE), wall=lambda: 1_000.0 + hands[0], clock=lambda: hands[0])


def scene(place: Path, *, held: bool = False, live: bool = False) -> Scene:
    """A room that is open. place: a directory of the test's own; SANDBOX_HOME has to be a temporary one."""
    drill = begun_drill(place)
    desk, journal, hands = StandIn(drill, stands_still=not live), RoomJournal(place / "room.jsonl"), [0.0]
    room = made(journal, drill, desk, hands)
    room.open(held=held)
    return Scene(room, desk, journal, hands)
