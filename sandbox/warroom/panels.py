"""Calls by which a team looks into its stack: each panel a document of its own, the same for participants and instructor."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import APIRouter, Depends, Path, Query, Request

from sandbox.base.errors import SandboxError
from sandbox.room.panels import traces as of_traces
from sandbox.room.panels.asking import MOST_PAGES, Window
from sandbox.room.panels.keeper import Panels
from sandbox.room.room import Room
from sandbox.telemetry.sql import SqlWorker
from sandbox.warroom import callers

panels = APIRouter(prefix="/api/v1")
_INSTRUCTORS = "/instructor"
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

Minutes = Annotated[float, Query(ge=1, le=1440, description="length of the window, world minutes")]
To = Annotated[float | None, Query(ge=0, le=1e12, description="its end, world seconds; now where it is left out")]
PageNumber = Annotated[int, Query(ge=0, lt=MOST_PAGES, description="from 0")]
Word = Annotated[str, Query(max_length=80)]
Words = Annotated[str, Query(max_length=200)]
Id = Annotated[str, Path(max_length=80)]


@dataclass(frozen=True)
class Seer:
    """Who looks, and where."""

    request: Request
    room: Room
    who: str

    async def sees(self, key: Hashable, look: Callable[[SqlWorker], T], panel: str, about: str = "") -> T:
        """panel, about: what the room is told that they look at. Raises ROOM-003..005 and what `look` raises."""
        at = callers.reads(self.request, self.room, self.who)
        self.room.events_after(0, self.who, 0)  # refused for whoever is in the room no more
        at.rates.spend(("panel", self.room.code, self.who), at.settings.panels, "looks of one participant")
        kept = at.panels.setdefault(self.room.code, Panels(self.room, at.clock, at.settings.overview_s))
        found = await anyio.to_thread.run_sync(kept.seen, (panel, key), look, limiter=at.desk_threads)
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
