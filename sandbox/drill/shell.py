"""The drill shell: SQL typed directly, commands by word, the clock and open alerts at the bottom.

Whatever is asked here is answered in this process: no command starts another Python.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.drill import leaving, replies, session, shell_words, typed
from sandbox.drill.debrief import render
from sandbox.drill.interview import Ask, interview
from sandbox.drill.journal import first
from sandbox.drill.notebook import Notebook
from sandbox.drill.queries import filled
from sandbox.drill.report import Report, world_time
from sandbox.drill.report import load as load_report
from sandbox.drill.segment_values import values_in
from sandbox.drill.sql_text import is_sql, statements
from sandbox.drill.store import Drill
from sandbox.drill.terminal import agreed, paged
from sandbox.drill.views import (
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
from sandbox.runtime import slates
from sandbox.runtime.actions import ACTIONS, kind_named
from sandbox.runtime.building import ProgressFn
from sandbox.runtime.operations import Operations
from sandbox.runtime.stack import Stack
from sandbox.telemetry.drawing import drawn
from sandbox.telemetry.reference import columns_of
from sandbox.telemetry.sql import SqlWorker
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
    "report [FILE]": "hand in the report, from questions or a YAML file; ends the drill",
    "debrief": "what really happened, after the report",
    "quit": "leave: the drill can be left running, or abandoned",
}


class Shell:
    """Answers lines on a live drill. console: where answers go. ask: asks a person; None for programs: then
    nothing is paged, and what would be asked has to be said. twin: whether a grade is by the drill's twin. Its methods named `on_…` are the commands."""

    def __init__(
        self, drill: Drill, console: Console, ask: Ask | None = None, twin: bool = True
    ) -> None:
        self.drill, self.console, self.ask, self.help = drill, console, ask, HELP
        self.twin = twin
        self.notebook = Notebook(drill.directory)
        self.asked = (
            self.notebook.asked()
        )  # queries that were answered: the report quotes from them
        self._lake = SqlWorker(drill.run.lake)
        self.commands: dict[str, Callable[[str], RenderableType | None]] = {
            name.removeprefix("on_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("on_")
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
                self.show(self.commands[word](rest))
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
            raise SandboxError(
                "CFG-004", where="drill shell", seen="nobody to ask", expected="a terminal", fix=fix
            )
        return agreed(lambda text: ask(text, ("yes", "no")), question)

    # -- what a backend does in its own way ----------------------------------------------------------

    def now(self) -> float:
        """World seconds since the epoch."""
        return self.drill.now()

    def rows(self, sql: str) -> tuple[Sequence[str], Sequence[Sequence[Any]], bool]:
        """What the lake answers: columns, rows, and whether it has more."""
        result = self._lake.query(sql)
        return result.columns, result.rows, result.truncated

    def operations(self) -> Operations:
        """Raises RUN-001 when the stack is down."""
        stack = Stack(Path(self.drill.plan.run_dir))
        stack.require_up()
        return Operations(stack.run)

    def carry_out(self, text: str) -> None:
        """Raises what the stack answers that cannot do it."""
        with self.console.status("doing it"):
            typed.act(text, self.operations())

    def file(self, written: Report, progress: ProgressFn) -> dict[str, Any]:
        """Hands the report in; the grade's document."""
        return session.file_report(self.drill, written, progress, twin=self.twin)

    def abandon(self, progress: ProgressFn) -> dict[str, Any]:
        """Ends the drill without a report; the document of its debrief."""
        return session.abandon(self.drill, progress, twin=self.twin)

    # -- commands ------------------------------------------------------------------------------------

    def query(self, sql: str) -> RenderableType:
        """What the lake answers; in the SQL, `$began`, `$paged` and `$now` stand for world times."""
        shown = self.look(filled(sql, self.drill.times(self.now())))
        self.asked.append(sql)
        self.notebook.note_asked(sql)
        return shown

    def look(self, sql: str) -> RenderableType:
        """What the lake answers."""
        columns, rows, cut = self.rows(sql)
        return answer_view(columns, rows, self.console.width, cut=cut)

    def on_help(self, _: str) -> RenderableType:
        return listing(["type", "for"], list(self.help.items()))

    def on_tables(self, _: str) -> RenderableType:
        rows = [[t.name, t.row, t.writer] for t in TABLES.values()]
        return listing(["table", "one row per", "written by"], rows)

    def on_describe(self, name: str) -> RenderableType:
        if name not in TABLES and name != "ic":
            raise SandboxError(
                "LAKE-004", where="describe", seen=name or "nothing", expected=f"one of {', '.join(TABLES)}, ic",
                fix=f"type `tables`{replies.did_you_mean(name, [*TABLES, 'ic'])}",
            )  # fmt: skip
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
        return changes_view(Operations(self.drill.run).records())

    def on_trace(self, which: str) -> RenderableType:
        """`trace latest`, `trace slowest`, `trace ID`."""
        return drawn(find(self._lake, which or "latest", self.drill.run.speed), self.console.width)

    def on_recommend(self, arguments: str) -> RenderableType:
        """`recommend --user U [--k K]`."""
        wanted = _options(arguments, "recommend --user 3")
        run = self.operations().run
        answered = slates.ask(run, wanted["user"], wanted.get("k", 10))
        cards = slates.read_cards(Path(run.world_dir), [item.item_id for item in answered.items])
        trace = Text(f"trace {answered.request_id}", style="dim")
        return Group(slates.slate(answered, cards, self.console.width), trace)

    def on_act(self, arguments: str) -> RenderableType | None:
        """`act ACTION name=value … [--preview | --yes]`."""
        words = [word for word in arguments.split() if word not in (PREVIEW, YES)]
        if not words:
            return actions_view()
        if words in [[name] for name, kind in ACTIONS.items() if kind.arguments]:
            return explained_view(kind_named(words[0]), Operations(self.drill.run))
        action = typed.planned(" ".join(words), self.operations())
        self.console.print(Text(action.preview.told()))
        given = arguments.split()
        if PREVIEW in given:
            return None
        if YES not in given and not self.agrees("Do it, yes or no?", "add --yes, or --preview"):
            return Text("nothing was done", style="dim")
        self.carry_out(" ".join(words))
        done = Operations(self.drill.run).records()[-1]
        return Text(f"done: change {done.n}, {done.old} -> {done.new}")

    def on_hint(self, arguments: str) -> RenderableType:
        offer = session.hint_offer(self.drill)
        if YES not in arguments.split() and not self.agrees(offer, "add --yes"):
            return Text("no hint was taken", style="dim")
        return Text(session.hint(self.drill, self.now()))

    def on_words(self, _: str) -> RenderableType:
        return words_view()

    def on_status(self, _: str) -> RenderableType:
        return status_view(session.status(self.drill, self.now()))

    def on_report(self, file: str) -> RenderableType | None:
        if file:
            written: Report | None = load_report(Path(file).expanduser())
        elif self.ask is None:
            raise SandboxError(
                "CFG-004", where="report", seen="nobody to ask", expected="a terminal, or a YAML file",
                fix="type `report FILE`",
            )  # fmt: skip
        else:
            session.require_running(self.drill)
            say = Console.print
            written = interview(
                self.drill, self.ask, lambda text: say(self.console, Text(text)), self.now, self.asked,
                values_in(lambda sql: self.rows(sql)[1]),
            )  # fmt: skip
        if written is None:
            return Text(
                "back in the drill; nothing was filed, and your answers are kept", style="dim"
            )
        with leaving.progress_on(self.console) as progress:
            result = self.file(written, progress)
        return render(self.drill.scenario, self.drill.entries(), written, result)

    def on_debrief(self, _: str) -> RenderableType:
        with leaving.progress_on(self.console) as progress:
            result = session.grade(self.drill, progress, twin=self.twin)
        entries = self.drill.entries()
        return render(self.drill.scenario, entries, session.filed_report(entries), result)

    def close(self) -> None:
        self._lake.close()


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
            "CFG-004", where="recommend", seen=arguments or "nothing",
            expected="--user and its number from 0, and if you like --k with the items wanted",
            fix=f"type `{example}`",
        )  # fmt: skip
    return {name[2:]: int(value) for name, value in zip(names, values, strict=True)}
