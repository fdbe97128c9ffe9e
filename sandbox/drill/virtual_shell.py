"""The drill shell on the virtual backend: the same commands, and time that passes when it is told to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from sandbox.base.errors import SandboxError
from sandbox.drill import leaving, session
from sandbox.drill.interview import Ask
from sandbox.drill.report import Report, world_time
from sandbox.drill.shell import HELP, Shell
from sandbox.drill.shell import _options as options
from sandbox.drill.terminal import Terminal
from sandbox.drill.views import page_view
from sandbox.drill.virtual import TICK_S, VirtualDrill
from sandbox.runtime.building import ProgressFn
from sandbox.runtime.operations import Operations

QUERY_S = 30.0  # world seconds that pass with each query: half a second of a person's at 60x
MOST_S = 6 * 3600.0  # of one `wait`
_SLATE = """
    SELECT i.position AS "#", c.title, i.cand_source AS "found by", round(i.score, 3) AS score,
           round(i.p_click, 3) AS "p click", i.model_rank AS ranker
    FROM impressions i LEFT JOIN items c USING (item_id)
    WHERE i.request_id = '{request}' ORDER BY i.position"""


class VirtualShell(Shell):
    """Answers lines on a drill that this process holds. What moves its world is written down, so that the
    drill can be taken up again."""

    def __init__(
        self, open_drill: VirtualDrill, console: Console, ask: Ask | None = None, twin: bool = True
    ) -> None:
        super().__init__(open_drill.drill, console, ask, twin)
        self._open, self._told = open_drill, open_drill.paged() is not None
        self.help = {
            "wait [MINUTES]": "let so many world minutes go by, 5 where none are named; stops at the page",
            **HELP,
        }

    def now(self) -> float:
        return self._open.now()

    def rows(self, sql: str) -> tuple[Sequence[str], Sequence[Sequence[Any]], bool]:
        return *self._open.ask(sql), False

    def operations(self) -> Operations:
        session.require_running(self.drill)
        return self._open.stack.operations

    def carry_out(self, text: str) -> None:
        self.notebook.note_move("act", text)
        self._open.act(text)
        self._pass_time(QUERY_S)

    def file(self, written: Report, progress: ProgressFn) -> dict[str, Any]:
        return self._open.file(written, progress, twin=self.twin)

    def abandon(self, progress: ProgressFn) -> dict[str, Any]:
        return self._open.abandon(progress, twin=self.twin)

    def query(self, sql: str) -> RenderableType:
        shown = super().query(sql)
        if not session.is_over(self.drill):
            self._pass_time(QUERY_S)
        return shown

    def on_trace(self, which: str) -> RenderableType:
        self._open.stack.flush()  # what has happened by now can be found
        return super().on_trace(which)

    def on_wait(self, minutes: str) -> RenderableType:
        """`wait MINUTES`: world minutes, 5 where none are named. The page ends it."""
        try:
            seconds = float(minutes or 5) * 60
        except ValueError:
            seconds = -1.0
        if not 0 < seconds <= MOST_S:
            raise SandboxError(
                "CFG-004", where="wait", seen=minutes, expected=f"world minutes, up to {MOST_S / 60:g}",
                fix="type `wait 10`",
            )  # fmt: skip
        session.require_running(self.drill)
        until = self.now() + seconds
        with self.console.status("the world goes on"):
            self._pass_time(seconds, to_the_page=True)
        early = " (stopped at the page)" if self.now() < until - 1 else ""
        return Text(f"it is {world_time(self.now())[11:]}{early}")

    def on_recommend(self, arguments: str) -> RenderableType:
        """`recommend --user U`: sends a request, lets it be answered, and shows the slate."""
        n_users = self._open.stack.catalogue.n_users
        wanted = options(arguments, "recommend --user 3")
        if "k" in wanted or wanted["user"] >= n_users:
            raise SandboxError(
                "CFG-004", where="recommend", seen=arguments,
                expected=f"--user and a number from 0 to {n_users - 1}", fix="type `recommend --user 3`",
            )  # fmt: skip
        session.require_running(self.drill)
        self.notebook.note_move("probe", wanted["user"])
        request = self._open.stack.clients.probe(wanted["user"])
        self._pass_time(QUERY_S)
        return Group(
            self.look(_SLATE.format(request=request)), Text(f"trace {request}", style="dim")
        )

    def _pass_time(self, seconds: float, to_the_page: bool = False) -> None:
        """to_the_page: no further than the page, where it comes on the way. It comes on a tick."""
        until = self.now() + seconds
        step = TICK_S if to_the_page and not self._told else seconds
        while self.now() < until - 1e-6:
            self._open.advance(min(until, _next_tick(self.now() - self._open.began_ts, step) + self._open.began_ts))  # fmt: skip
            if self._announces_page() and to_the_page:
                break
        self.notebook.note_move("until", self.now())

    def _announces_page(self) -> bool:
        paged = None if self._told else self._open.paged()
        if paged is None:
            return False
        self._told = True
        self.console.print(page_view(self.drill.scenario.pager.text, world_time(paged)))
        return True


def _next_tick(at_s: float, step_s: float) -> float:
    """Where the next step ends, on the grid of ticks where it is one of them."""
    return at_s + step_s if step_s != TICK_S else at_s - at_s % TICK_S + TICK_S


def open_virtual_shell(open_drill: VirtualDrill, twin: bool = True, **streams: Any) -> None:
    """Runs the shell until the trainee leaves. twin: see `session.grade`. streams: `input` and `output` of prompt_toolkit, for tests."""
    console = Console(file=sys.stdout, force_terminal=True)
    shell = VirtualShell(open_drill, console, twin=twin)
    drill = open_drill.drill
    over: list[str] = []

    def parts() -> list[str]:
        if over or session.is_over(drill):
            over[:] = ["the drill is over", "debrief shows it again, quit leaves"]
            return over
        minutes = (open_drill.now() - open_drill.began_ts) / 60
        length = drill.scenario.length_s / 60
        return [f"world {world_time(open_drill.now())[11:]}", f"{minutes:.0f} of {length:.0f} world min",
                "wait, help, quit", "time stands still until you ask"]  # fmt: skip

    terminal = Terminal(shell.commands, parts, **streams)
    shell.ask = terminal.ask
    leaving.briefed(console, drill)
    console.print(
        "Time stands still until you ask: a query takes half a world minute, `wait 10` ten of them.\n"
        f"Type SQL, or `help` ({len(shell.help)} commands).\n"
    )
    page = open_drill.paged()
    if page is not None:
        console.print(page_view(drill.scenario.pager.text, world_time(page)))
    try:
        leaving.converse(shell, terminal)
    finally:
        shell.close()
