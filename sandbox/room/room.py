"""A room: commands in, events out, one desk behind it.

Two things never happen at once: two events, and two things at the desk. What takes long is done on the desk's own thread,
one after the other, and the room answers others meanwhile; questions in SQL have a turn of their own. Clocks are handed in.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from sandbox.base.errors import SandboxError
from sandbox.drill.play import standing
from sandbox.drill.play.deeds import HINT_PRICE
from sandbox.drill.play.desk import Desk
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import first
from sandbox.room import aside_talk, projections, talk, truth
from sandbox.room import events as ev
from sandbox.room.commands import Ask, Join
from sandbox.room.console import Console, Flushed
from sandbox.room.documents import Board
from sandbox.room.errands import ERRANDS, asked
from sandbox.room.events import INSTRUCTOR, ROOM, Event, What
from sandbox.room.grading import Grader
from sandbox.room.journal import RoomJournal
from sandbox.room.pace import MOST_AT_ONCE_S, Pace
from sandbox.room.rights import Phase, authorise
from sandbox.room.roles import Role
from sandbox.room.state import Aside, Person, Shared
from sandbox.room.twists import director, touched
from sandbox.room.twists.sets import planned_set
from sandbox.room.untold import untold
from sandbox.telemetry.sql import Result

_log = logging.getLogger(__name__)
MOST_STEPS = 16  # of the world in one tick
Listener = Callable[[], None]


class Room:
    """code: by which it is joined. desk: None once its drill is over. drill: of the desk, or that there was. grade: what
    a drill that is over came to. wall: seconds since the epoch, for the journal. clock: monotonic seconds, for the pace.

    Safe to use from several threads. Listeners are called after each event, by whoever brought it about; they must not
    wait. Close it: a desk may hold a process.
    """

    def __init__(
        self, code: str, journal: RoomJournal, drill: Drill, desk: Desk | None, grade: Grader, *,
        wall: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.code, self.drill, self.shared, self.aside = code, drill, Shared(), Aside()
        self._journal, self._desk, self._grade, self._wall, self._clock = journal, desk, grade, wall, clock
        self._lock, self._pace = threading.RLock(), Pace()
        self._at_desk = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"desk-{code}")
        self._console = Console(code, drill, self._flushed, clock)
        self._events: list[Event] = []
        self._seq_of: dict[tuple[str, str], int] = {}
        self._at_work: set[tuple[str, str]] = set()
        self._listeners: set[Listener] = set()
        self._grading = False  # or graded, or tried: it is tried again by whoever takes the room up
        for event in journal.read():
            self._take(event)
        self._world_ts = desk.now() if desk is not None else (self._events[-1].world_ts if self._events else 0.0)

    # -- the life of a room -------------------------------------------------------------------------

    def open(self, *, held: bool) -> None:
        """Begins a new room. held: its world waits for the instructor, and not only for the first to join."""
        assert self._desk is not None, "a new room has a desk"
        scenario, live = self.drill.scenario, not self._desk.stands_still
        self._append(ROOM, None, ev.Opened(
            title=scenario.title, briefing=scenario.briefing, backend="live" if live else "virtual",
            began_ts=self._desk.began_ts, length_s=scenario.length_s, world_rate=scenario.world_rate, held=held,
        ))  # fmt: skip
        if live:
            self._append(ROOM, None, ev.Started())

    def take_up(self) -> None:
        """Goes on with a room that was left: what its drill has and its journal lacks is told, what is over is graded."""
        if not self._events and self._desk is not None:  # it was killed while it was opened
            self.open(held=False)
        self._on_desk(self._catch_up)

    def tick(self) -> None:
        """Brings the world to where it should be by now; called again and again while the room is served."""
        if self.shared.phase in (Phase.waiting, Phase.over, Phase.debrief) or self._desk is None:
            self._pace.due_s(self._clock(), 0.0)
            return
        for _ in range(MOST_STEPS):
            if not self._on_desk(self._go_on):
                break

    def end_by_itself(self, why: str, *, graded: bool = True) -> None:
        """What nobody in it asked for: its world failed, or it was given up from outside. Not from the desk's thread.
        graded: False where nobody stays to see it; it is graded when it is taken up."""
        with self._lock:
            if self.shared.phase not in (Phase.over, Phase.debrief):
                was_over = standing.is_over(self.drill)  # its report was taken just before, and never told
                told = untold(self.shared, self.drill.entries(), (), True) if was_over else [ev.Ended(why=why)]
                for what in told:
                    self._append(ROOM, None, what)
        self._on_desk(lambda: self._finish(graded))

    def close(self) -> None:
        """Lets go of the desk. A virtual drill that is not over can be taken up again; a live one is given up, for nobody
        would be left to end its processes."""
        if self._desk is not None and not self._desk.stands_still:
            self.end_by_itself("its server ended", graded=False)
        self._at_desk.shutdown(wait=True, cancel_futures=True)
        self._grade.close()
        if self._desk is not None:
            self._console.leave(self._desk)
        self._console.close()

    # -- people -------------------------------------------------------------------------------------

    def join(self, join: Join) -> Person:
        """Raises as `talk.joined`."""
        with self._lock:
            joined = talk.joined(self.shared, join)
            self._append(joined.participant, joined.role, joined)
            opened = self.shared.opened
            if self.shared.phase is Phase.waiting and not (opened and opened.held) and joined.role is not Role.observer:
                self._append(ROOM, None, ev.Started())
            return self.shared.people[joined.participant]

    def submit(self, who: str, command: Any) -> int:
        """Does it. Returns the number of the event that tells of it, which by then is on disk.

        who: id of a participant, or INSTRUCTOR. Raises ROOM-002 and ROOM-003 where they may not, ROOM-004 for nobody in
        the room, ROOM-009, and what the desk raises.
        """
        key = (who, command.id) if command.id is not None else None
        with self._lock:
            self._role(who)
            if key in self._seq_of:
                return self._seq_of[key]
            if key is not None:
                self._begin(key)
        try:
            if command.kind == "ask":
                return self._ask(who, command)
            if command.kind in ERRANDS or command.kind in director.ORDERS:
                seq: int = self._on_desk(lambda: self._run_errand(who, command))
                return seq
            with self._lock:
                return self._say(who, command)
        finally:
            with self._lock:
                self._at_work.discard(key)

    # -- what one may see ---------------------------------------------------------------------------

    def state(self, who: str) -> dict[str, Any]:
        """One of `documents`, as JSON has it. Raises ROOM-004 for nobody in the room."""
        with self._lock:
            self._role(who)
            if who == INSTRUCTOR:
                told: Board = projections.of_instructor(self.shared, self.aside, truth.told(self.drill), self.now())
            else:
                told = projections.of_participant(self.shared, self.shared.people[who], self.now(), HINT_PRICE)
        return told.model_dump(mode="json")

    def events_after(self, seq: int, who: str, most: int = 500) -> tuple[list[dict[str, Any]], int]:
        """What they may see of the events after that number, and the number up to which that is all. Raises ROOM-004."""
        role = self._role(who)
        upto = self._events[seq : seq + most]  # without the lock, which is held while an event goes to disk
        told = (projections.event_for(event, role) for event in upto)
        return [event for event in told if event is not None], seq + len(upto)

    def at_desk(self, look: Callable[[Desk], Any]) -> Any:
        """What somebody finds there who changes nothing, None once there is no desk. Raises what the desk raises."""
        return None if self._desk is None else self._on_desk(lambda: None if self._desk is None else look(self._desk))

    def look_up(self, sql: str, max_rows: int) -> tuple[Result, float]:
        """What the lake answers, noted as nobody's query, and how long that took, seconds of `clock`; of a drill that is over
        from what it left. Raises as `Console.query`."""
        return self._console.query(sql, max_rows)

    def looks_elsewhere(self, who: str, panel: str, about: str) -> bool:
        """Whether that is another panel than a participant looked at last. The instructor's looks are nobody's business."""
        person = self.shared.people.get(who)
        return person is not None and person.here and person.looks_at != (panel, about[: ev.MOST_ABOUT])

    def look(self, who: str, panel: str, about: str) -> int:
        """Tells the room what somebody looks at. Raises ROOM-004."""
        with self._lock:
            return self._append(who, self._role(who), ev.Looked(panel=panel, about=about[: ev.MOST_ABOUT]))

    @property
    def world_rate(self) -> float:
        """World seconds per wall second, as durations in its tables have it, whatever pace it goes at."""
        return self.shared.opened.world_rate if self.shared.opened else 1.0

    def now(self) -> float:
        """World seconds since the epoch."""
        desk = self._desk
        return self._world_ts if desk is None or desk.stands_still else desk.now()

    @property
    def is_settled(self) -> bool:
        """Whether nothing happens in its world any more: what its lake says stays."""
        return self._desk is None

    def wall(self) -> float:
        """Seconds since the epoch, by the clock of its journal."""
        return self._wall()

    @contextmanager
    def looking(self) -> Iterator[tuple[Shared, Aside]]:
        """What it comes to, which stays as it is meanwhile: for whoever keeps the room. Must not take long."""
        with self._lock:
            yield self.shared, self.aside

    @property
    def events(self) -> list[Event]:
        """All of them, for whoever keeps the room."""
        with self._lock:
            return list(self._events)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Returns what ends it."""
        with self._lock:
            self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    # -- beside the desk ---------------------------------------------------------------------------

    def _ask(self, who: str, command: Ask) -> int:
        with self._lock:
            role = self._allowed(who, command.kind)
        what = asked(command, self.drill.times(self.now()), lambda sql: self._console.query(sql)[0])
        with self._lock:
            return self._append(who, role, what, command.id)

    # -- at the desk, on its thread -----------------------------------------------------------------

    def _on_desk(self, errand: Callable[[], Any]) -> Any:
        return self._at_desk.submit(errand).result()

    def _flushed(self) -> Flushed | None:
        def flush() -> Flushed | None:
            began = self._clock()
            return None if self._desk is None else (self._desk.lake(), self._clock() - began)

        found: Flushed | None = self._on_desk(flush)
        return found

    def _run_errand(self, who: str, command: Any) -> int:
        with self._lock:
            role = self._allowed(who, command.kind)
        assert self._desk is not None, "no phase without a desk has errands"
        before = self._desk.now()
        try:
            if command.kind in director.ORDERS:
                seq = director.ORDERS[command.kind](self._stage(self._desk), command)
                self._look()
                return seq
            what = ERRANDS[command.kind](self._desk, self.shared, command)
        finally:
            self._moved(before)
        with self._lock:
            seq = self._append(who, role, what, command.id)
        self._look()
        return seq

    def _stage(self, desk: Desk) -> director.Stage:
        def tell(what: What, command: str | None) -> int:
            return self._append(INSTRUCTOR, Role.instructor, what, command)

        return director.Stage(desk, self.shared, self.aside, self._lock, tell)

    def _go_on(self) -> bool:
        """One step of the world. Whether it should go on at once."""
        desk, opened, due_s = self._desk, self.shared.opened, 0.0
        if desk is None:  # it was over while this step waited for its turn
            return False
        assert opened is not None, "a room is opened before it ticks"
        if desk.stands_still:
            rate = opened.world_rate * self.shared.speed if self.shared.phase is Phase.running else 0.0
            due_s = self._pace.due_s(self._clock(), rate)
            until = min(desk.now() + due_s, opened.began_ts + opened.length_s)
            if until > desk.now():
                desk.wait(until)
                self._pace.went(desk.now() - until)  # a world goes on in whole windows
            self._world_ts = desk.now()
        self._look()
        return due_s >= MOST_AT_ONCE_S

    def _moved(self, before: float) -> None:
        """What moved the world beside its pace: a slate that somebody asked for."""
        assert self._desk is not None
        if self._desk.stands_still:
            self._world_ts = self._desk.now()
            self._pace.went(self._world_ts - before)

    def _look(self) -> None:
        """Tells what came by itself: the page, the end of the time, the end of the drill."""
        assert self._desk is not None
        opened, shared = self.shared.opened, self.shared
        assert opened is not None
        director.go_on(self._stage(self._desk))
        if shared.page is None and (page := first(self.drill.entries(), "page")) is not None:
            self._append(ROOM, None, ev.PageCame(text=str(page.fields["text"])))
        if shared.phase in (Phase.running, Phase.paused):
            if standing.is_over(self.drill):
                self._append(ROOM, None, ev.Ended(why=f"the drill ended: {self.drill.phase}"))
            elif self.now() >= opened.began_ts + opened.length_s:
                self._append(ROOM, None, ev.TimeUp())
        if shared.phase is Phase.over:
            self._finish()

    def _catch_up(self) -> None:
        records = self._desk.operations().records() if self._desk is not None else []
        for what in untold(self.shared, self.drill.entries(), records, standing.is_over(self.drill)):
            self._append(ROOM, None, what)
        if self._desk is not None:
            director.catch_up(self._stage(self._desk))
            self._look()
        elif self.shared.phase is Phase.over:
            self._finish()

    def _finish(self, graded: bool = True) -> None:
        """What is over needs no desk, and is graded apart: others' rooms, and this one's talk, go on meanwhile."""
        desk = self._desk
        if desk is not None:
            if not standing.is_over(self.drill):
                with suppress(SandboxError):
                    desk.abandon()
            self._world_ts, self._desk = desk.now(), None
            self._console.leave(desk)
        if graded and not self._grading:
            self._grading = True
            threading.Thread(target=self._to_the_debrief, name=f"grades-{self.code}", daemon=True).start()

    def _to_the_debrief(self) -> None:
        """Grades what is over. One that cannot be graded stays as it is, and is tried again when it is taken up."""
        try:
            self._console.release()
            document = _as_json(touched.marked(self._grade(self.drill), self.drill))
            told = _as_json({**truth.told(self.drill), "herrings": touched.herrings(self.events)})
        except Exception as error:  # the edge of a thread
            _log.error("room %s: it cannot be graded", self.code, exc_info=error)
            return
        self._append(ROOM, None, ev.Graded(score=float(document["score"]), document=document, truth=told))

    # -- under the lock -----------------------------------------------------------------------------

    def _say(self, who: str, command: Any) -> int:
        role = self._allowed(who, command.kind)
        if command.kind == "inject_set":
            return self._append(who, role, planned_set(self.aside, command.set), command.id)
        of = aside_talk.TALK if command.kind in aside_talk.TALK else talk.TALK
        about: Any = self.aside if of is aside_talk.TALK else self.shared
        return self._append(who, role, of[command.kind](about, who, command, self.now()), command.id)

    def _allowed(self, who: str, kind: str) -> Role:
        role = self._role(who)
        refusal = authorise(role, kind, self.shared.phase)
        if refusal is not None:
            raise refusal.error(f"room {self.code}, {kind}")
        return role

    def _role(self, who: str) -> Role:
        if who == INSTRUCTOR:
            return Role.instructor
        person = self.shared.people.get(who)
        if person is None or not person.here:
            raise SandboxError(
                "ROOM-004", where=f"room {self.code}", seen="somebody who is not in it", expected="a participant",
                fix="join it",
            )  # fmt: skip
        return person.role

    def _begin(self, key: tuple[str, str]) -> None:
        if key in self._at_work:
            raise SandboxError(
                "ROOM-003", where=f"room {self.code}", seen="the same command, which is at work still",
                expected="one of each", fix="wait for its event",
            )  # fmt: skip
        self._at_work.add(key)

    def _append(self, who: str, role: Role | None, what: What, command: str | None = None) -> int:
        """On disk first: nobody is told of what could be lost."""
        with self._lock:
            event = Event(
                seq=len(self._events) + 1, who=who, role=role, wall_ts=self._wall(), world_ts=self.now(), what=what,
                command=command,
            )  # fmt: skip
            self._journal.append(event)
            self._take(event)
            for listener in tuple(self._listeners):
                listener()
            return event.seq

    def _take(self, event: Event) -> None:
        self._events.append(event)
        self.shared.apply(event)
        self.aside.apply(event)
        if event.command is not None:
            self._seq_of[event.who, event.command] = event.seq


def _as_json(document: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON; a figure that could not be measured is None, for JSON has no word for it."""
    text = json.dumps(document, default=lambda value: value.item() if hasattr(value, "item") else str(value))
    read: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return read
