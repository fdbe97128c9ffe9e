"""Calls by which a team looks into its stack: each panel a document of its own, the same for participants and instructor."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import APIRouter, Depends, Path, Query, Request

from sandbox.base.errors import SandboxError
from sandbox.room.panels import dashboards as of_boards
from sandbox.room.panels import logs as of_logs
from sandbox.room.panels import slates as of_slates
from sandbox.room.panels import subjects as of_subjects
from sandbox.room.panels import traces as of_traces
from sandbox.room.panels.asking import MOST_PAGES, Asks, Window
from sandbox.room.panels.keeper import Panels
from sandbox.room.room import Room
from sandbox.warroom import callers
from sandbox.warroom.rooms import PANEL_THREADS

panels = APIRouter(prefix="/api/v1")
_INSTRUCTORS = "/instructor"
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


@dataclass(frozen=True)
class Seer:
    """Who looks, and where."""

    request: Request
    room: Room
    who: str

    async def sees(self, key: Hashable, look: Callable[[Asks], T], panel: str, about: str = "") -> T:
        """panel, about: what the room is told that they look at. Raises ROOM-003..005 and what `look` raises."""
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
        return found

    def window(self, minutes: float, to_ts: float | None) -> Window:
        return Window.before(self.room.now() if to_ts is None else to_ts, minutes)


def _seer(request: Request, code: str) -> Seer:
    """By the path that was called."""
    theirs = request.scope["route"].path.startswith(f"{panels.prefix}{_INSTRUCTORS}/")
    return Seer(request, *(callers.instructor if theirs else callers.participant)(request, code))


Who = Annotated[Seer, Depends(_seer)]


def _panel(path: str) -> Callable[[F], F]:
    """Serves one panel to both audiences."""

    def serve(panel: F) -> F:
        name = panel.__name__
        panels.get(f"/rooms/{{code}}{path}", tags=["participants"], name=name)(panel)
        panels.get(
            f"{_INSTRUCTORS}/rooms/{{code}}{path}", tags=["instructor"], name=f"instructor_{name}",
            description="The same.",
        )(panel)  # fmt: skip
        return panel

    return serve


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
    speed = who.room.world_rate
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
