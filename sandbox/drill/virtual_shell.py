"""The drill shell on the virtual backend: the same commands, and time that passes when it is told to."""

from __future__ import annotations

import sys
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import HTML
from prompt_toolkit.history import FileHistory
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.text import Text

from sandbox.base.errors import SandboxError
from sandbox.drill import typed
from sandbox.drill.report import Report, world_time
from sandbox.drill.shell import HELP, Shell, ShellCompleter, history_path, next_line
from sandbox.drill.views import answer_view, page_view
from sandbox.drill.virtual import VirtualDrill
from sandbox.runtime.building import ProgressFn

PREVIEW = "--preview"
QUERY_S = 30.0  # world seconds that pass with each query: half a second of a person's at 60x
MOST_S = 6 * 3600.0  # of one `wait`
_SLATE = """
    SELECT i.position AS "#", c.title, i.cand_source AS "found by", round(i.score, 3) AS score,
           round(i.p_click, 3) AS "p click", i.model_rank AS ranker
    FROM impressions i LEFT JOIN items c USING (item_id)
    WHERE i.request_id = '{request}' ORDER BY i.position"""


class VirtualShell(Shell):
    """Answers lines on a drill that this process holds."""

    def __init__(self, open_drill: VirtualDrill, console: Console) -> None:
        super().__init__(open_drill.drill, console)
        self._open, self._told = open_drill, False
        self.help = {
            "wait [MINUTES]": "let so many world minutes go by, 5 where none are named",
            **HELP,
        }

    def query(self, sql: str) -> RenderableType:
        shown = super().query(sql)
        self._pass_time(QUERY_S)
        return shown

    def now(self) -> float:
        return self._open.now()

    def look(self, sql: str) -> RenderableType:
        return answer_view(*self._open.ask(sql))

    def _pass_on(self, word: str, rest: str) -> None:
        self._open.stack.flush()  # the command finds what has happened by now
        super()._pass_on(word, rest)

    def on_wait(self, minutes: str) -> RenderableType:
        """`wait MINUTES`: world minutes, 5 where none are named."""
        try:
            seconds = float(minutes or 5) * 60
        except ValueError:
            seconds = -1.0
        if not 0 < seconds <= MOST_S:
            raise SandboxError(
                "CFG-004", where="wait", seen=minutes, expected=f"world minutes, up to {MOST_S / 60:g}",
                fix="type `wait 10`",
            )  # fmt: skip
        self._pass_time(seconds)
        return Text(f"it is {world_time(self._open.now())[11:]}")

    def on_recommend(self, arguments: str) -> RenderableType:
        """`recommend --user U`: sends a request, lets it be answered, and shows the slate."""
        n_users, words = self._open.stack.catalogue.n_users, arguments.split()
        user = words[1] if len(words) == 2 and words[0] == "--user" else ""
        if not (user.isdecimal() and int(user) < n_users):
            raise SandboxError(
                "CFG-004", where="recommend", seen=arguments or "nothing",
                expected=f"--user and a number from 0 to {n_users - 1}", fix="type `recommend --user 3`",
            )  # fmt: skip
        request = self._open.stack.clients.probe(int(user))
        self._pass_time(QUERY_S)
        self.console.print(self.look(_SLATE.format(request=request)))
        return Text(f"trace {request}", style="dim")

    def on_act(self, arguments: str) -> RenderableType | None:
        """`act ACTION name=value ... [--preview]`, as `sandbox act` has it."""
        words = arguments.split()
        action = " ".join(word for word in words if word != PREVIEW)
        if not action:
            return self.actions_view()
        self.console.print(Text(typed.preview(action, self._open.stack.operations).told()))
        if PREVIEW in words:
            return None
        self._open.act(action)
        self._pass_time(QUERY_S)
        return Text(f"done: {action}")

    def file(self, written: Report, progress: ProgressFn) -> dict[str, Any]:
        return self._open.file(written, progress)

    def _pass_time(self, seconds: float) -> None:
        self._open.advance(self._open.now() + seconds)
        paged = self._open.paged()
        if paged is not None and not self._told:
            self._told = True
            self.console.print(page_view(self.drill.scenario.pager.text, world_time(paged)))


def open_virtual_shell(open_drill: VirtualDrill) -> None:
    """Runs the shell until the trainee leaves."""
    console = Console(file=sys.stdout, force_terminal=True)
    shell = VirtualShell(open_drill, console)

    def toolbar() -> HTML:
        minutes = (open_drill.now() - open_drill.began_ts) / 60
        return HTML(
            f" world {world_time(open_drill.now())[11:]}   {minutes:.0f} min   wait, help, quit"
        )

    prompt: PromptSession[str] = PromptSession(
        history=FileHistory(str(history_path())), lexer=PygmentsLexer(SqlLexer),
        completer=ShellCompleter(shell.commands), complete_while_typing=False, bottom_toolbar=toolbar,
    )  # fmt: skip
    scenario = open_drill.drill.scenario
    console.print(f"[bold]{escape(scenario.title)}[/]\n\n{escape(scenario.briefing)}")
    console.print(
        "Time stands still until you ask: a query takes half a world minute, `wait 10` ten of them.\n"
        f"Type SQL, or `help` ({len(shell.help)} commands).\n"
    )
    try:
        while shell.answer(next_line(prompt)):
            pass
    finally:
        shell.close()
