"""The rooms that a server has, and what its calls need of it."""

from __future__ import annotations

import hmac
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import anyio

from sandbox.base.errors import SandboxError
from sandbox.room import house
from sandbox.room.authoring.jobs import Jobs
from sandbox.room.authoring.reader import Reader
from sandbox.room.events import INSTRUCTOR
from sandbox.room.overview import Lookout, Overview
from sandbox.room.panels.keeper import Panels
from sandbox.room.record.lakes import Lakes
from sandbox.room.room import Room
from sandbox.room.several import CORES
from sandbox.room.twists.harm_live import HarmWatch
from sandbox.warroom import tokens
from sandbox.warroom.rates import Rates
from sandbox.warroom.settings import Secrets, Settings
from sandbox.warroom.watch import Sight, Watched

DESK_THREADS = 64  # that wait for desks at once, in all rooms
ASK_THREADS = 32  # that wait for answers in SQL, in all rooms
PANEL_THREADS = 4  # that wait for one room's, to look into panels
PAST_THREADS = 4  # that wait for the lakes of recordings, in all rooms
_NO_ROOM = "*"  # in an instructor's token: the code of no room


class Served:
    """wall: seconds since the epoch. clock: monotonic seconds."""

    def __init__(
        self, rooms: Iterable[Room], secrets: Secrets, settings: Settings | None = None, *,
        wall: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.rooms = {room.code: room for room in rooms}
        self.secrets, self.settings = secrets, settings or Settings()
        self.wall, self.clock, self.rates = wall, clock, Rates(clock)
        self._lookouts: dict[str, Lookout] = {}
        self._watched: dict[str, Watched] = {}
        self.panels: dict[str, Panels] = {}
        self.panel_threads: dict[str, anyio.CapacityLimiter] = {}
        self.watches: dict[str, HarmWatch] = {}
        self.desk_threads, self.ask_threads = anyio.CapacityLimiter(DESK_THREADS), anyio.CapacityLimiter(ASK_THREADS)
        self.lakes = Lakes()
        self.past_threads = anyio.CapacityLimiter(PAST_THREADS)
        self._streams: Counter[tuple[str, str]] = Counter()
        # For whoever writes scenarios; no process is started before one is asked for.
        self.reader, self.jobs = Reader(), Jobs(clock)
        self.opening = {"virtual": anyio.CapacityLimiter(CORES), "live": anyio.CapacityLimiter(1)}
        self._opening, self._adding = 0, threading.Lock()
        self.keep: Callable[[Room], None] = lambda _room: None  # has the world of a room that is added go on

    def room(self, code: str) -> Room:
        """Raises ROOM-001."""
        room = self.rooms.get(code.upper())
        if room is None:
            self.rates.spend("guesses", self.settings.guesses, "codes of no room")
            raise house.no_such(code)
        return room

    async def overview(self, room: Room) -> Overview:
        """Of now, or as it was seen a moment ago."""
        lookout = self._lookouts.setdefault(room.code, Lookout(room, self.clock, self.settings.overview_s))
        return await anyio.to_thread.run_sync(lookout.seen, limiter=self.desk_threads)

    def sight(self, room: Room, *, on: bool = False) -> Sight:
        """For one more stream of the room. on: whether it watches the overview from the beginning."""
        made = Watched(partial(self.overview, room), self.settings.overview_s)
        return Sight(self._watched.setdefault(room.code, made), on=on)

    @contextmanager
    def one_more_room(self) -> Iterator[None]:
        """While it is opened. Raises ROOM-005 for one too many, those that are being opened among them."""
        there, most = len(self.rooms) + self._opening, self.settings.rooms
        if there >= most:
            raise SandboxError(
                "ROOM-005", where="rooms of this server", seen=f"{there} rooms", expected=f"at most {most}",
                fix="start another server with another SANDBOX_HOME, or start this one anew without those that are over",
            )  # fmt: skip
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    def add(self, room: Room) -> None:
        """One more, while the server runs; from any thread."""
        with self._adding:
            self.keep(room)
            self.rooms = {
                **self.rooms,
                room.code: room,
            }  # whoever goes through them meanwhile goes on with those of before

    def close(self) -> None:
        """Ends the processes that were started for authors, and for those who look back."""
        self.lakes.close()
        self.jobs.close()
        self.reader.close()

    def token(self, code: str, participant: str) -> str:
        return tokens.signed(self.secrets.signing, code, participant, self.wall() + self.settings.token_s)

    def participant(self, code: str, token: str | None) -> str:
        """Raises ROOM-004."""
        if not token:
            raise tokens.not_signed_in("neither cookie nor token")
        return tokens.participant_of(self.secrets.signing, token, code, self.wall())

    def instructors_token(self) -> str:
        """For a browser's cookie, so that the secret itself lies in none. Void once there is another secret."""
        return tokens.signed(self._instructors_key(), _NO_ROOM, INSTRUCTOR, self.wall() + self.settings.token_s)

    def require_instructor(self, shown: str | None, token: str | None = None) -> None:
        """By the secret, or a token that it was exchanged for. Raises ROOM-004, and ROOM-005 for whoever guesses."""
        if shown and tokens.same_secret(shown, self.secrets.instructor):
            return
        if not shown and token:
            tokens.participant_of(self._instructors_key(), token, _NO_ROOM, self.wall())
            return
        self.rates.spend("guesses", self.settings.guesses, "guesses of the instructor's secret")
        raise SandboxError(
            "ROOM-004", where="instructor's calls", seen="another secret" if shown else "no secret",
            expected="the secret that was printed when the server started",
            fix="send it: Authorization: Bearer SECRET",
        )  # fmt: skip

    def _instructors_key(self) -> bytes:
        return hmac.new(self.secrets.signing, self.secrets.instructor.encode(), "sha256").digest()

    @contextmanager
    def stream(self, code: str, who: str) -> Iterator[None]:
        """One more stream of somebody. Raises ROOM-005 for one too many."""
        key, most = (code, who), self.settings.streams
        if self._streams[key] >= most:
            raise SandboxError(
                "ROOM-005", where="streams of one participant", seen=f"{most} open", expected=f"at most {most}",
                fix="close a tab",
            )  # fmt: skip
        self._streams[key] += 1
        try:
            yield
        finally:
            self._streams[key] -= 1
