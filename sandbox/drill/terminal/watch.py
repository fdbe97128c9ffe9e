"""What the drill shell's toolbar shows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from sandbox.base.errors import SandboxError
from sandbox.drill.play import standing
from sandbox.drill.play.desk import Desk
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.journal import first
from sandbox.drill.play.report import world_time
from sandbox.drill.terminal.views import ALERTS
from sandbox.telemetry.sql import SqlWorker

OVER = ["the drill is over", "debrief shows it again, quit leaves"]
WATCH_S = 1.0  # wall seconds between two looks at pages and alerts


class Bar(Protocol):
    """The toolbar of a drill."""

    def parts(self) -> list[str]:
        """What there is to say, the most important first."""
        ...

    def start(self) -> None: ...
    def close(self) -> None: ...


class StillBar:
    """Of a drill whose time stands still until somebody asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._over = desk, False

    def parts(self) -> list[str]:
        self._over = self._over or standing.is_over(self._desk.drill)
        if self._over:
            return OVER
        now, length_s = self._desk.now(), self._desk.drill.scenario.length_s
        minutes = (now - self._desk.began_ts) / 60
        return [f"world {world_time(now)[11:]}", f"{minutes:.0f} of {length_s / 60:.0f} world min",
                "wait, help, quit", "time stands still until you ask"]  # fmt: skip

    def start(self) -> None:
        """It has nothing to do but answer."""

    def close(self) -> None:
        """It holds nothing."""


class Watch:
    """Of a live drill, kept up to date by a thread of its own: world time, alerts, the page. announce: shows the page, once, with its time. paged: it was shown
    before."""

    def __init__(self, drill: Drill, announce: Callable[[str, str], None], paged: bool = False) -> None:
        self.drill, self._announce = drill, announce
        self._run, self._stop, self._told = drill.run, threading.Event(), paged
        self.firing: list[str] = []
        self.over = False
        self._began = drill.began() or 0.0
        self._length_s = drill.scenario.length_s
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def parts(self) -> list[str]:
        if self.over:
            return OVER
        now = self._run.clock().now()
        minutes, length = (now - self._began) / 60, self._length_s / 60
        fires = f"{len(self.firing)} firing: {', '.join(self.firing)}" if self.firing else "no alert"
        return [
            f"world {world_time(now)[11:]}",
            f"{minutes:.0f} of {length:.0f} world min",
            fires,
            *([f"{len(self.firing)} firing"] if len(fires) > 40 else []),
            "help, quit",
        ]

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(15)

    def _look(self) -> None:
        with SqlWorker(self._run.lake) as lake:
            while not self._stop.wait(WATCH_S):
                entries = self.drill.entries()
                page = first(entries, "page")
                if page is not None and not self._told:
                    self._told = True
                    self._announce(str(page.fields["text"]), world_time(page.world_ts))
                self.over = first(entries, "phase", name="debrief") is not None
                if self.over:
                    return
                try:
                    rows = lake.query(ALERTS).rows
                except SandboxError:
                    continue  # a busy lake: the next look will tell
                self.firing = [str(row[0]) for row in rows if row[1] == "firing"]
