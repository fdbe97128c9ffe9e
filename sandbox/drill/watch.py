"""What the drill shell's toolbar shows of a live drill, kept up to date by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sandbox.base.errors import SandboxError
from sandbox.drill.journal import first
from sandbox.drill.report import world_time
from sandbox.drill.store import Drill
from sandbox.drill.views import ALERTS
from sandbox.telemetry.sql import SqlWorker

WATCH_S = 1.0  # wall seconds between two looks at pages and alerts


class Watch:
    """World time, alerts, the page. announce: shows the page, once, with its time. paged: it was shown
    before."""

    def __init__(
        self, drill: Drill, announce: Callable[[str, str], None], paged: bool = False
    ) -> None:
        self.drill, self._announce = drill, announce
        self._run, self._stop, self._told = drill.run, threading.Event(), paged
        self.firing: list[str] = []
        self.over = False
        self._began = drill.began() or 0.0
        self._length_s = drill.scenario.length_s
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def parts(self) -> list[str]:
        """What there is to say, the most important first."""
        if self.over:
            return ["the drill is over", "debrief shows it again, quit leaves"]
        now = self._run.clock().now()
        minutes, length = (now - self._began) / 60, self._length_s / 60
        fires = (
            f"{len(self.firing)} firing: {', '.join(self.firing)}" if self.firing else "no alert"
        )
        return [
            f"world {world_time(now)[11:]}", f"{minutes:.0f} of {length:.0f} world min", fires,
            *([f"{len(self.firing)} firing"] if len(fires) > 40 else []), "help, quit",
        ]  # fmt: skip

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
