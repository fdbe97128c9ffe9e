"""The drill shell: SQL typed directly, commands by word, the clock and open alerts at the bottom.

Whatever is asked here is answered in this process: no command starts another Python.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.base.schema import TABLES
from sandbox.drill.debrief.document import debriefed
from sandbox.drill.grading.outcome import outcome
from sandbox.drill.play import standing
from sandbox.drill.play.desk import Desk
from sandbox.drill.play.journal import first
from sandbox.drill.play.notebook import Notebook
from sandbox.drill.play.report import Report, world_time
from sandbox.drill.play.report import load as load_report
from sandbox.drill.scenario.queries import filled
from sandbox.drill.terminal import leaving, replies, shell_words
from sandbox.drill.terminal.debrief import render
from sandbox.drill.terminal.interview import Ask, interview
from sandbox.drill.terminal.prompt import agreed, paged
from sandbox.drill.terminal.segment_values import values_in
from sandbox.drill.terminal.sql_text import is_sql, statements
from sandbox.drill.terminal.views import (
    ALERTS,
    actions_view,
    answer_view,
    changes_view,
    explained_view,
    listing,
    page_view,
    status_view,
    words_view,
)
from sandbox.runtime.operate.actions import ACTIONS, kind_named
from sandbox.telemetry.drawing import drawn
from sandbox.telemetry.reference import columns_of
from sandbox.telemetry.waterfall import find

YES, PREVIEW = "--yes", "--preview"

HELP = {
    "help": "this list",
    "SELECT …;": "any query on the lake, over several lines up to `;` (or an empty line); $began, $paged and "
    "$now stand for world times",
    "tables": "the tables of the lake",
    "describe TABLE": "its columns, with units",
    "page": "the page",
    "alerts": "the state of every alert that ever fired",
    "changes": "what was released or changed, by number",
    "trace ID | latest | slowest": "the waterfall of one request",
    "recommend --user U": "ask for a slate as that user",
    "act": "what can be done; `act NAME` what its arguments may be; `act NAME argument=value …` shows what it "
    "would do, and asks (--preview: only shows, --yes: does not ask)",
    "hint": "the next of three hints; each has a price, which is said first",
    "words": "components and mechanisms that a report may name",
    "status": "where the drill stands",
    "wait [MINUTES]": "let so many world minutes go by, 5 where none are named; stops at the page",
    "report [FILE]": "hand in the report, from questions or a YAML file; ends the drill",
    "debrief": "what really happened, after the report",
    "quit": "leave: the drill can be left running, or abandoned",
}


LOOKS = ("page", "alerts", "changes", "trace", "recommend")  # commands that show what was measured, told in the debrief
QUERY_S = 30.0  # world seconds that pass with each query where time stands still: half a second of a person's
MOST_S = 6 * 3600.0  # world seconds of one `wait`


class Shell:
    """Answers lines on a drill. console: where answers go. ask: asks a person; None for programs: then
    nothing is paged, and what would be asked has to be said. twin: whether a grade is by the drill's twin. Its
    methods named `on_…` are the commands."""

    def __init__(self, desk: Desk, console: Console, ask: Ask | None = None, twin: bool = True) -> None:
        self.desk, self.drill, self.console, self.ask = desk, desk.drill, console, ask
        self.twin, self.help = twin, HELP
        self.notebook = Notebook(self.drill.directory)
        self.asked = self.notebook.asked()  # queries that were answered: the report quotes from them
        self._told = desk.paged() is not None
        self.commands: dict[str, Callable[[str], RenderableType | None]] = {
            name.removeprefix("on_"): getattr(self, name) for name in dir(self) if name.startswith("on_")
        }

    def answer(self, line: str) -> bool:
        """Does what a line says and prints the answer. False when it says to leave."""
        line = line.strip()
        word, _, rest = line.partition(" ")
        word, rest = word.rstrip(";"), rest.strip().rstrip(";").rstrip()
        if word in ("quit", "exit"):
            return False
        try:
            if word in self.commands:
                began_ts = self.desk.now()
                shown = self.commands[word](rest)
                if word in LOOKS:
                    self.notebook.note_look(f"{word} {rest}".strip(), began_ts, is_query=False)
                self.show(shown)
            elif is_sql(line):
                for sql in statements(line):
                    self.show(self.query(sql))
            elif word:
                self.console.print(shell_words.no_such(word, [*self.commands, "quit"]))
        except (KeyboardInterrupt, EOFError):  # ends what was asked, not the drill
            self.console.print("[dim]stopped[/]")
        except OSError as error:
            self.console.print(f"[bold red]failed[/] {escape(str(error))}")
        except SandboxError as error:
            self.console.print(shell_words.told(error))
        return True

    def show(self, what: RenderableType | None) -> None:
        """A page at a time, where a person reads."""
        if what is not None:
            ask = self.ask
            paged(self.console, what, None if ask is None else lambda question: ask(question, ()))

    def agrees(self, question: str, fix: str) -> bool:
        """Raises CFG-004 where there is nobody to ask. fix: the way out there."""
        ask = self.ask
        if ask is None:
            raise SandboxError("CFG-004", where="drill shell", seen="nobody to ask", expected="a terminal", fix=fix)
        return agreed(lambda text: ask(text, ("yes", "no")), question)

    # -- commands ------------------------------------------------------------------------------------

    def query(self, sql: str) -> RenderableType:
        """What the lake answers; in the SQL, `$began`, `$paged` and `$now` stand for world times."""
        shown = self.look(filled(sql, self.drill.times(self.desk.now())))
        self.asked.append(sql)
        self.notebook.note_look(sql, self.desk.now())
        self._spend(QUERY_S)
        return shown

    def look(self, sql: str) -> RenderableType:
        """What the lake answers."""
        found = self.desk.ask(sql)
        return answer_view(found.columns, found.rows, self.console.width, cut=found.truncated)

    def on_help(self, _: str) -> RenderableType:
        return listing(["type", "for"], list(self.help.items()))

    def on_tables(self, _: str) -> RenderableType:
        rows = [[t.name, t.row, t.writer] for t in TABLES.values()]
        return listing(["table", "one row per", "written by"], rows)

    def on_describe(self, name: str) -> RenderableType:
        if name not in TABLES and name != "ic":
            raise SandboxError(
                "LAKE-004",
                where="describe",
                seen=name or "nothing",
                expected=f"one of {', '.join(TABLES)}, ic",
                fix=f"type `tables`{replies.did_you_mean(name, [*TABLES, 'ic'])}",
            )
        rows = [[c.name, c.type, c.comment] for c in columns_of(name)]
        return listing(["column", "type", "what it holds"], rows)

    def on_page(self, _: str) -> RenderableType:
        page = first(self.drill.entries(), "page")
        if page is None:
            return Text("no page yet", style="dim")
        return page_view(str(page.fields["text"]), world_time(page.world_ts))

    def on_alerts(self, _: str) -> RenderableType:
        return self.look(ALERTS)

    def on_changes(self, _: str) -> RenderableType:
        return changes_view(self.desk.operations().records())

    def on_trace(self, which: str) -> RenderableType:
        """`trace latest`, `trace slowest`, `trace ID`."""
        return drawn(find(self.desk.lake(), which or "latest", self.drill.run.speed), self.console.width)

    def on_recommend(self, arguments: str) -> RenderableType:
        """`recommend --user U [--k K]`."""
        wanted = _options(arguments, "recommend --user 3")
        shown = self.desk.recommend(wanted["user"], wanted.get("k", 10))
        self._announce()
        said = "; ".join(part for part in (shown.note, f"trace {shown.request_id}") if part)
        answer = answer_view(shown.columns, shown.rows, self.console.width)
        return Group(answer, Text(said, style="dim"))

    def on_wait(self, minutes: str) -> RenderableType:
        """`wait MINUTES`: world minutes, 5 where none are named. The page ends it."""
        try:
            seconds = float(minutes or 5) * 60
        except ValueError:
            seconds = -1.0
        if not 0 < seconds <= MOST_S:
            raise SandboxError(
                "CFG-004",
                where="wait",
                seen=minutes,
                expected=f"world minutes, up to {MOST_S / 60:g}",
                fix="type `wait 10`",
            )
        until = self.desk.now() + seconds
        with self.console.status("the world goes on"):
            self.desk.wait(until, to_the_page=True)
        self._announce()
        early = " (stopped at the page)" if self.desk.now() < until - 1 else ""
        return Text(f"it is {world_time(self.desk.now())[11:]}{early}")

    def on_act(self, arguments: str) -> RenderableType | None:
        """`act ACTION name=value … [--preview | --yes]`."""
        words = [word for word in arguments.split() if word not in (PREVIEW, YES)]
        if not words:
            return actions_view()
        if words in [[name] for name, kind in ACTIONS.items() if kind.arguments]:
            return explained_view(kind_named(words[0]), self.desk.operations())
        action = self.desk.preview(" ".join(words))
        self.console.print(Text(action.preview.told()))
        given = arguments.split()
        if PREVIEW in given:
            return None
        if YES not in given and not self.agrees("Do it, yes or no?", "add --yes, or --preview"):
            return Text("nothing was done", style="dim")
        with self.console.status("doing it"):
            done = self.desk.act(" ".join(words))
        self._spend(QUERY_S)
        return Text(f"done: change {done.n}, {done.old} -> {done.new}")

    def on_hint(self, arguments: str) -> RenderableType:
        offer = self.desk.hint_offer()
        if YES not in arguments.split() and not self.agrees(offer, "add --yes"):
            return Text("no hint was taken", style="dim")
        return Text(self.desk.hint())

    def on_words(self, _: str) -> RenderableType:
        return words_view()

    def on_status(self, _: str) -> RenderableType:
        return status_view(self.desk.status())

    def on_report(self, file: str) -> RenderableType | None:
        if file:
            written: Report | None = load_report(Path(file).expanduser())
        elif self.ask is None:
            raise SandboxError(
                "CFG-004",
                where="report",
                seen="nobody to ask",
                expected="a terminal, or a YAML file",
                fix="type `report FILE`",
            )
        else:
            standing.require_running(self.drill)
            say = Console.print
            written = interview(
                self.drill, self.ask, lambda text: say(self.console, Text(text)), self.desk.now, self.asked,
                values_in(lambda sql: self.desk.ask(sql).rows),
            )  # fmt: skip
        if written is None:
            return Text("back in the drill; nothing was filed, and your answers are kept", style="dim")
        with leaving.progress_on(self.console) as progress:
            self.desk.file(written, progress)
            result = outcome(self.drill, progress, twin=self.twin)
        return render(debriefed(self.drill, result))

    def on_debrief(self, _: str) -> RenderableType:
        with leaving.progress_on(self.console) as progress:
            result = outcome(self.drill, progress, twin=self.twin)
        return render(debriefed(self.drill, result))

    def abandon(self, progress: ProgressFn) -> dict[str, Any]:
        """Ends the drill without a report; the document of its debrief."""
        self.desk.abandon(progress)
        return outcome(self.drill, progress, twin=self.twin)

    def _spend(self, seconds: float) -> None:
        """What a person does takes time, where time does not pass by itself."""
        if self.desk.stands_still and not standing.is_over(self.drill):
            self.desk.wait(self.desk.now() + seconds)
            self._announce()

    def _announce(self) -> None:
        """Shows the page once, where nobody else watches for it."""
        paged = self.desk.paged() if self.desk.stands_still and not self._told else None
        if paged is not None:
            self._told = True
            self.console.print(page_view(self.drill.scenario.pager.text, world_time(paged)))


def _options(arguments: str, example: str) -> dict[str, int]:
    """`--user 3 --k 5`, or the user's number alone. Raises CFG-004."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        words = []
    if len(words) == 1:
        words = ["--user", *words]
    names, values = words[::2], words[1::2]
    fits = len(names) == len(values) and set(names) <= {"--user", "--k"} and "--user" in names
    if not fits or not all(value.isdecimal() and len(value) < 10 for value in values):
        raise SandboxError(
            "CFG-004",
            where="recommend",
            seen=arguments or "nothing",
            expected="--user and its number from 0, and if you like --k with the items wanted",
            fix=f"type `{example}`",
        )
    return {name[2:]: int(value) for name, value in zip(names, values, strict=True)}
