"""Rooms on disk: opened, taken up after a crash, listed, ended.

SANDBOX_HOME/rooms/CODE/room.json      what is played there, and which drill it is
SANDBOX_HOME/rooms/CODE/journal.jsonl  what happened: see sandbox.room.journal
SANDBOX_HOME/rooms/server.lock         held by the server that has the rooms, one for each SANDBOX_HOME
SANDBOX_HOME/rooms/server.json         where it is
SANDBOX_HOME/rooms/instructor.secret   what opens the instructor's calls, for this user's other commands
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.base.locks import is_held
from sandbox.base.progress import ProgressFn, quiet
from sandbox.base.run import write_atomically
from sandbox.drill.play import drills, standing
from sandbox.drill.play.desk import Desk
from sandbox.drill.play.drills import Drill
from sandbox.drill.scenario.scenario import Scenario
from sandbox.room.apart.desk import DeskApart
from sandbox.room.apart.told import tell_of_its_process
from sandbox.room.events import Event, Graded, Opened
from sandbox.room.grading import GradedApart
from sandbox.room.journal import RoomJournal
from sandbox.room.room import Room
from sandbox.room.state import Shared

LOCK, ADDRESS, SECRET = "server.lock", "server.json", "instructor.secret"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is taken for another when it is read out
_LENGTH = 6


@dataclass(frozen=True)
class Deed:
    """What a room was opened for. scenario: its id. drill: id. twin: whether its grade is by the drill's twin.
    program: whether a program answers it alone."""

    code: str
    scenario: str
    backend: str
    drill: str
    twin: bool
    program: bool = False


def root() -> Path:
    return paths.home() / "rooms"


def open_room(
    scenario: Scenario, backend: str, *, world: str | None = None, seed: int | None = None, twin: bool = True,
    held: bool = False, progress: ProgressFn = quiet, clock: Callable[[], float] = time.monotonic,
    program: bool = False,
) -> Room:  # fmt: skip
    """A new room on a new drill. backend: live or virtual. clock: by which its world is paced, monotonic seconds. program:
    whether it is played by one, and so in nobody's results. Raises as the desks' `start` do."""
    code = _free_code()
    desk = _begun(scenario, backend, world, seed, paths.runs() / f"room-{code}", progress)
    try:
        deed = Deed(code, scenario.id, backend, desk.drill.plan.drill, twin, program)
        directory = root() / deed.code
        directory.mkdir(parents=True, mode=0o700)
        write_atomically(directory / "room.json", json.dumps(asdict(deed)))
        room = _room(deed, desk.drill, desk, clock)
        room.open(held=held)
    except BaseException:
        with suppress(SandboxError):
            desk.abandon()
        desk.close()
        raise
    return room


def take_up(deed: Deed, progress: ProgressFn = quiet) -> Room:
    """A room that was left, as it was. A virtual world is played again to where it was.

    Raises DRILL-004 where another process holds it, DRILL-006 where it does not come out as it was, ROOM-008.
    """
    drill = Drill(drills.root() / deed.drill)
    desk = None if standing.is_over(drill) else _resumed(drill, progress)
    try:
        room = _room(deed, drill, desk)
        room.take_up()
    except BaseException:
        if desk is not None:
            desk.close()
        raise
    return room


def deeds() -> list[Deed]:
    """Of all rooms there are, the latest last. Directories that hold none are passed over."""
    found = []
    for path in root().glob("*/room.json"):
        with suppress(OSError, ValueError, TypeError):
            found.append((path.stat().st_mtime, Deed(**json.loads(path.read_text()))))
    return [deed for _, deed in sorted(found, key=lambda entry: entry[0])]


def deed_of(code: str) -> Deed:
    """Raises ROOM-001."""
    found = next((deed for deed in deeds() if deed.code == code.upper()), None)
    if found is None:
        raise no_such(code)
    return found


def journal_of(deed: Deed) -> RoomJournal:
    return RoomJournal(root() / deed.code / "journal.jsonl")


def is_open(deed: Deed) -> bool:
    """Whether there is something left to do there: its drill is not over, or not graded yet."""
    return not any(isinstance(event.what, Graded) for event in journal_of(deed).read())


def summary(deed: Deed) -> dict[str, Any]:
    """A line of a list of rooms."""
    shared = folded(journal_of(deed).read())
    opened = shared.opened
    return {
        "code": deed.code, "scenario": deed.scenario, "backend": deed.backend, "phase": shared.phase.value,
        "title": opened.title if isinstance(opened, Opened) else "", "participants": len(shared.here()),
        "score": shared.grade.score if shared.grade else None, "drill": deed.drill,
    }  # fmt: skip


def folded(events: list[Event]) -> Shared:
    """What they come to."""
    shared = Shared()
    for event in events:
        shared.apply(event)
    return shared


def end_unserved(deed: Deed, progress: ProgressFn = quiet) -> None:
    """Gives up the drill of a room that nobody serves, without marks. Raises DRILL-004 where somebody does."""
    from sandbox.drill.play import live_drill

    drill = Drill(drills.root() / deed.drill)
    if deed.backend == "virtual" and drills.running_on(Path(drill.plan.run_dir)):
        raise drills.occupied(Path(drill.plan.run_dir))
    if not standing.is_over(drill):
        live_drill.give_up(drill)
        live_drill.let_stack_go(drill, progress)
    room = _room(deed, drill, None)
    room.end_by_itself("it was given up", graded=False)
    room.close()


def served_at() -> str | None:
    """The address of the server that has the rooms, None when there is none."""
    if not is_held(root() / LOCK):
        return None
    with suppress(OSError, ValueError, KeyError):
        return str(json.loads((root() / ADDRESS).read_text())["address"])
    return None


def instructor_secret() -> str:
    """Of the server that has the rooms. Raises OSError."""
    return (root() / SECRET).read_text().strip()


def no_such(code: str) -> SandboxError:
    return SandboxError(
        "ROOM-001", where="room", seen=code[:20], expected="the code of a room that is open",
        fix="whoever opened it has the code: sandbox room list",
    )  # fmt: skip


def _room(deed: Deed, drill: Drill, desk: Desk | None, clock: Callable[[], float] = time.monotonic) -> Room:
    room = Room(deed.code, journal_of(deed), drill, desk, GradedApart(deed.twin), clock=clock)
    if isinstance(desk, DeskApart):
        tell_of_its_process(room, desk)
    return room


def _begun(
    scenario: Scenario, backend: str, world: str | None, seed: int | None, run_dir: Path, progress: ProgressFn
) -> Desk:
    if backend == "live":
        from sandbox.drill.play.live_desk import LiveDesk

        return LiveDesk.start(scenario, world=world, seed=seed, run_dir=run_dir, progress=progress)
    return DeskApart.start(scenario, world, seed, run_dir=run_dir, progress=progress)


def _resumed(drill: Drill, progress: ProgressFn) -> Desk:
    if drill.plan.backend == "live":
        from sandbox.drill.play.live_desk import LiveDesk

        standing.require_running(drill)
        return LiveDesk(drill)
    return DeskApart.resume(drill, progress)


def _free_code() -> str:
    return next(code for code in _codes() if not (root() / code).exists())


def _codes() -> Iterator[str]:
    while True:
        yield "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
