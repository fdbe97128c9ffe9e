"""Calls by which a team looks into its stack: each panel a document of its own, the same for participants and instructor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Protocol, TypeVar

import anyio
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from sandbox.base.errors import SandboxError
from sandbox.room.overview import Overview, stack_at
from sandbox.room.panels import dashboards as of_boards
from sandbox.room.panels import logs as of_logs
from sandbox.room.panels import slates as of_slates
from sandbox.room.panels import subjects as of_subjects
from sandbox.room.panels import traces as of_traces
from sandbox.room.panels.asking import MOST_PAGES, Asks, Window
from sandbox.room.panels.keeper import Kept, Panels
from sandbox.room.record.recordings import Recording
from sandbox.room.room import Room
from sandbox.warroom import callers, past
from sandbox.warroom.rooms import PANEL_THREADS

panels = APIRouter(prefix="/api/v1")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

Minutes = Annotated[float, Query(ge=1, le=1440, description="length of the window, world minutes")]
To = Annotated[float | None, Query(ge=0, le=1e12, description="its end, world seconds; now where it is left out")]
Earlier = Annotated[float, Query(ge=0, le=10_080)]
PageNumber = Annotated[int, Query(ge=0, lt=MOST_PAGES, description="from 0")]
Word = Annotated[str, Query(max_length=80)]
Words = Annotated[str, Query(max_length=of_logs.MOST_MSG)]
Number = Annotated[int | None, Query(ge=0, lt=2**53)]
NumberInPath = Annotated[int, Path(ge=0, lt=2**53)]
Id = Annotated[str, Path(max_length=80)]
At = Annotated[int, Query(ge=1, le=2**53, description="seq of the event after which the stack is shown")]


class Seer(Protocol):
    """Who looks, and where."""

    @property
    def world_rate(self) -> float: ...
    async def sees(self, key: Hashable, look: Callable[[Asks], T], panel: str, about: str = "") -> T:
        """key: of the document beside `panel`. panel, about: what the room is told that they look at."""
        ...

    def window(self, minutes: float, to_ts: float | None) -> Window: ...


@dataclass(frozen=True)
class Here:
    """Somebody who looks at a room's stack as it is now."""

    request: Request
    room: Room
    who: str

    @property
    def world_rate(self) -> float:
        return self.room.world_rate

    async def sees(self, key: Hashable, look: Callable[[Asks], T], panel: str, about: str = "") -> T:
        """Raises ROOM-003..005 and what `look` raises."""
        at = callers.reads(self.request, self.room, self.who)
        self.room.events_after(0, self.who, 0)  # refused for whoever is in the room no more
        at.rates.spend(("panel", self.room.code, self.who), at.settings.panels, "looks of one participant")
        kept = at.panels.setdefault(self.room.code, Panels(self.room, at.clock, at.settings.overview_s))
        # Of its own room's alone: who waits here for a slow desk takes no other room's threads.
        limiter = at.panel_threads.setdefault(self.room.code, anyio.CapacityLimiter(PANEL_THREADS))
        found = await anyio.to_thread.run_sync(kept.seen, (panel, key), look, limiter=limiter)
        with suppress(SandboxError):  # too many, or over: it is told with the next, or not at all
            if self.room.looks_elsewhere(self.who, panel, about):
                at.rates.spend(("look", self.room.code, self.who), at.settings.looks, "looks that are told")
                await anyio.to_thread.run_sync(self.room.look, self.who, panel, about)
        return _sent(self.request, found)

    def window(self, minutes: float, to_ts: float | None) -> Window:
        return Window.before(self.room.now() if to_ts is None else to_ts, minutes)


@dataclass(frozen=True)
class AtThatTime:
    """Somebody who looks at the stack of a recording, as it was after one of its events: what was written by then."""

    request: Request
    found: Recording
    seq: int

    @property
    def world_rate(self) -> float:
        return self.found.opened.world_rate

    async def sees(self, key: Hashable, look: Callable[[Asks], T], panel: str, about: str = "") -> T:
        """Raises ROOM-003 where its telemetry is gone, and what `look` raises."""
        at, until_ts = callers.served(self.request), self._ts
        found = await anyio.to_thread.run_sync(
            at.lakes.seen, self.found, until_ts, (panel, key), look, limiter=at.past_threads
        )
        return _sent(self.request, found)

    def window(self, minutes: float, to_ts: float | None) -> Window:
        return Window.before(self._ts if to_ts is None else min(to_ts, self._ts), minutes)

    @property
    def _ts(self) -> float:
        return self.found.event(self.seq).world_ts


def _participant(request: Request, code: str) -> Seer:
    return Here(request, *callers.participant(request, code))


def _instructor(request: Request, code: str) -> Seer:
    return Here(request, *callers.instructor(request, code))


def _debriefed(request: Request, code: str, seq: At) -> Seer:
    room, who = callers.participant(request, code)
    served = callers.served(request)
    served.rates.spend(("panel", room.code, who), served.settings.panels, "looks of one participant")
    return AtThatTime(request, past.debriefed(request, code), seq)


def _recorded(request: Request, name: str, seq: At) -> Seer:
    callers.require_instructor(request)
    return AtThatTime(request, past.read(name), seq)


Who = Annotated[Seer, Depends(_participant)]
_PLACES: tuple[tuple[str, str, str, Callable[..., Seer]], ...] = (  # path, tag, name, who looks there
    ("/rooms/{code}", "participants", "", _participant),
    ("/instructor/rooms/{code}", "instructor", "instructor_", _instructor),
    ("/rooms/{code}/replay", "participants", "replay_", _debriefed),
    ("/instructor/replays/{name}", "instructor", "instructor_replay_", _recorded),
)
_SAME = {"": None, "instructor_": "The same."}
_THEN = "The same, as it was after an event of the recording."


def _panel(path: str) -> Callable[[F], F]:
    """Serves one panel to both audiences, of now and of a moment that is past."""

    def serve(panel: F) -> F:
        for place, tag, name, seer in _PLACES:
            panels.get(
                f"{place}{path}", tags=[tag], name=f"{name}{panel.__name__}", description=_SAME.get(name, _THEN),
                responses={304: {"description": "It says what it said: If-None-Match."}},
            )(_by(seer, panel))  # fmt: skip
        return panel

    return serve


def _by(seer: Callable[..., Seer], panel: Callable[..., Any]) -> Callable[..., Any]:
    """The same panel, for whom that finds."""
    signature = inspect.signature(panel, eval_str=True)
    asked = [
        one.replace(annotation=Annotated[Seer, Depends(seer)]) if one.name == "who" else one
        for one in signature.parameters.values()
    ]

    @wraps(panel)
    async def of(**given: Any) -> Any:
        return await panel(**given)

    of.__signature__ = signature.replace(parameters=asked)  # type: ignore[attr-defined]
    return of


def _sent(request: Request, found: Kept) -> Any:
    """As it was made once for all; nothing for whoever has it already, a page that looks every second above all."""
    headers = {"etag": f'"{found.tag}"'}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


@_panel("/stack")
async def stack(who: Who, to_ts: To = None) -> Overview:
    """The overview as it was at a world time that is past, with the last point of each signal before it."""
    at_ts = who.window(1, to_ts).to_ts
    return await who.sees(to_ts, lambda lake: stack_at(lake, at_ts), "stack")


@_panel("/traces")
async def traces(
    who: Who, order: of_traces.Order = "slowest", service: Word = "", op: Word = "", kind: Word = "",
    minutes: Minutes = 60, to_ts: To = None, page: PageNumber = 0,
) -> of_traces.TraceList:  # fmt: skip
    """Requests of a window: slowest, failed (or answered by a fallback) or latest; by a span that they have."""
    wanted = of_traces.Wanted(order, service, op, kind, page)
    window = who.window(minutes, to_ts)
    return await who.sees((wanted, minutes, to_ts), lambda lake: of_traces.listed(lake, wanted, window), "traces")


@_panel("/traces/{trace}")
async def trace(who: Who, trace: Id, against: Word = "") -> of_traces.TraceDocument:
    """One as a waterfall, by its request id, `latest` or `slowest`. against: another, or `usual`."""
    speed = who.world_rate
    return await who.sees(
        ("one", trace, against), lambda lake: of_traces.opened(lake, trace, against, speed), "traces", trace
    )


@_panel("/slates")
async def slates(
    who: Who, user: Number = None, item: Number = None, in_full: bool = False, minutes: Minutes = 60, to_ts: To = None,
    page: PageNumber = 0,
) -> of_slates.SlateList:  # fmt: skip
    """Requests of a window, the latest first: of a user, with an item in them, or those of which each candidate is known."""
    wanted = of_slates.Wanted(user, item, in_full, page)
    window = who.window(minutes, to_ts)
    return await who.sees((wanted, minutes, to_ts), lambda lake: of_slates.listed(lake, wanted, window), "slates")


@_panel("/slates/{request_id}")
async def slate(who: Who, request_id: Id) -> of_slates.SlateDocument:
    """One recommendation explained, by its request id or `latest`: candidates, ranks, rules, features with their ages, and
    what the same user was shown before."""
    return await who.sees(("one", request_id), lambda lake: of_slates.explained(lake, request_id), "slates", request_id)


@_panel("/users/{user}")
async def user(who: Who, user: NumberInPath) -> of_subjects.UserDocument:
    """A user: what is known of them, what they were shown and did, their consents and features."""
    return await who.sees(user, lambda lake: of_subjects.user_page(lake, user), "users", str(user))


@_panel("/items/{item}")
async def item(who: Who, item: NumberInPath) -> of_subjects.ItemDocument:
    """An item: what is known of it, to whom it was shown, who found it, and what the rules did with it."""
    return await who.sees(item, lambda lake: of_subjects.item_page(lake, item), "items", str(item))


@_panel("/logs")
async def logs(
    who: Who, text: Words = "", service: Word = "", level: Word = "", trace: Word = "", msg: Words = "",
    minutes: Minutes = 60, to_ts: To = None, page: PageNumber = 0,
) -> of_logs.LogList:  # fmt: skip
    """Lines of a window, the latest first. text: in the message or its fields; msg: the message itself."""
    wanted = of_logs.Wanted(text, service, level, trace, msg, page)
    window = who.window(minutes, to_ts)
    return await who.sees((wanted, minutes, to_ts), lambda lake: of_logs.listed(lake, wanted, window), "logs")


@_panel("/logs/patterns")
async def log_patterns(
    who: Who, text: Words = "", service: Word = "", level: Word = "", trace: Word = "", minutes: Minutes = 60,
    to_ts: To = None,
) -> of_logs.PatternList:  # fmt: skip
    """The same lines counted by pattern: what varies in them is masked."""
    wanted = of_logs.Wanted(text, service, level, trace)
    window = who.window(minutes, to_ts)
    key = ("patterns", wanted, minutes, to_ts)
    return await who.sees(key, lambda lake: of_logs.counted(lake, wanted, window), "logs")


@_panel("/dashboards/{board}")
async def dashboard(
    who: Who, board: of_boards.BoardName, by: Word = "", only: Words = "", beside: Words = "", earlier: Earlier = 0,
    minutes: Minutes = 60, to_ts: To = None,
) -> of_boards.Board:  # fmt: skip
    """Charts of one kind, by a segment column; only, beside: `column=value`; earlier: world minutes by which the window lies
    earlier that they are compared with. Alerts and changes are marked."""
    wanted = of_boards.Wanted(board, by, only, beside, earlier * 60.0)
    window = who.window(minutes, to_ts)
    return await who.sees(
        (wanted, minutes, to_ts), lambda lake: of_boards.drawn(lake, wanted, window), "dashboards", board
    )
