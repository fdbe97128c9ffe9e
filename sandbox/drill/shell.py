"""The drill shell: SQL typed directly, commands by word, the clock and open alerts at the bottom."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import HTML
from prompt_toolkit.history import FileHistory
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.patch_stdout import patch_stdout
from pygments.lexers.sql import SqlLexer
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.text import Text

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.drill import session
from sandbox.drill.debrief import render
from sandbox.drill.interview import interview
from sandbox.drill.journal import first
from sandbox.drill.queries import filled
from sandbox.drill.report import Report, world_time
from sandbox.drill.report import load as load_report
from sandbox.drill.store import Drill
from sandbox.drill.views import answer_view, page_view, status_view, words_view
from sandbox.runtime.actions import ACTIONS
from sandbox.runtime.building import ProgressFn
from sandbox.runtime.stack import Stack
from sandbox.telemetry.sql import SqlWorker

WATCH_S = 1.0  # wall seconds between two looks at pages and alerts
_ALERTS = "SELECT rule, arg_max(state, ts) AS state, max(ts) AS since, arg_max(summary, ts) AS summary FROM alerts GROUP BY rule ORDER BY since"
_CHANGES = "SELECT ts, target, key, old, new, actor, note FROM changes ORDER BY ts"
_PASSED_ON = ("trace", "recommend", "act")  # to the `sandbox` command of that name

HELP = {
    "help": "this list",
    "SELECT …": "any query on the lake; $began, $paged and $now stand for world times",
    "tables": "the tables of the lake",
    "describe TABLE": "its columns, with units",
    "page": "the page",
    "alerts": "the state of every alert that ever fired",
    "changes": "what was released or changed",
    "trace ID | latest | slowest": "the waterfall of one request",
    "recommend --user U": "ask for a slate as that user",
    "act": "what can be done; `act NAME argument=value …` does it",
    "hint": "the next of three hints",
    "words": "components and mechanisms that a report may name",
    "status": "where the drill stands",
    "report [FILE]": "hand in the report, from prompts or a YAML file; ends the drill",
    "debrief": "what really happened, after the report",
    "quit": "leave, and take the stack down",
}


class Shell:
    """Answers lines. console: where answers go. Its methods named `on_…` are the commands."""

    def __init__(self, drill: Drill, console: Console) -> None:
        self.drill, self.console, self.help = drill, console, HELP
        self._lake = SqlWorker(drill.run.lake)
        self.asked: list[str] = []  # queries that were answered: the report quotes from them
        self.commands: dict[str, Callable[[str], RenderableType | None]] = {
            name.removeprefix("on_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("on_")
        }

    def answer(self, line: str) -> bool:
        """Does what a line says and prints the answer. False when it says to leave."""
        word, _, rest = line.strip().partition(" ")
        if word in ("quit", "exit"):
            return False
        if not word:
            return True
        try:
            if word in self.commands:
                shown = self.commands[word](rest.strip())
                if shown is not None:
                    self.console.print(shown)
            elif word in _PASSED_ON:
                self._pass_on(word, rest)
            else:
                self.console.print(self.query(line.rstrip().rstrip(";")))
        except (KeyboardInterrupt, EOFError):  # ends what was asked, not the drill
            self.console.print("[dim]stopped[/]")
        except (OSError, subprocess.TimeoutExpired) as error:
            self.console.print(f"[bold red]failed[/] {escape(str(error))}")
        except SandboxError as error:
            self.console.print(f"[bold red]{error.kind.code}[/] {escape(error.kind.title)}")
            for label in ("where", "seen", "expected", "fix"):
                self.console.print(f"  [dim]{label:<9}[/] {escape(str(getattr(error, label)))}")
        return True

    def query(self, sql: str) -> RenderableType:
        """What the lake answers; in the SQL, `$began`, `$paged` and `$now` stand for world times."""
        shown = self.look(filled(sql, self.drill.times(self.now())))
        self.asked.append(sql)
        return shown

    def now(self) -> float:
        """World seconds since the epoch."""
        return self.drill.now()

    def look(self, sql: str) -> RenderableType:
        """What the lake answers."""
        result = self._lake.query(sql)
        return answer_view(result.columns, result.rows)

    def on_help(self, _: str) -> RenderableType:
        width = max(map(len, self.help))
        return Text("\n".join(f"{name:<{width}}  {about}" for name, about in self.help.items()))

    def on_tables(self, _: str) -> RenderableType:
        return answer_view(
            ["table", "one row per", "written by"],
            [[t.name, t.row, t.writer] for t in TABLES.values()],
        )

    def on_describe(self, name: str) -> RenderableType:
        if name not in TABLES:
            raise SandboxError(
                "LAKE-004", where="describe", seen=name or "nothing", expected=f"one of {', '.join(TABLES)}",
                fix="type `tables`",
            )  # fmt: skip
        return answer_view(
            ["column", "type", "what it holds"],
            [[c.name, c.type, c.comment] for c in TABLES[name].columns],
        )

    def on_page(self, _: str) -> RenderableType:
        page = first(self.drill.entries(), "page")
        if page is None:
            return Text("no page yet", style="dim")
        return page_view(str(page.fields["text"]), world_time(page.world_ts))

    def on_alerts(self, _: str) -> RenderableType:
        return self.look(_ALERTS)

    def on_changes(self, _: str) -> RenderableType:
        return self.look(_CHANGES)

    def on_hint(self, _: str) -> RenderableType:
        return Text(session.hint(self.drill, self.now()))

    def on_words(self, _: str) -> RenderableType:
        return words_view()

    def on_status(self, _: str) -> RenderableType:
        return status_view(session.status(self.drill, self.now()))

    def on_report(self, file: str) -> RenderableType:
        if file:
            written = load_report(Path(file))
        else:
            written = interview(self.drill, now=self.now(), queries=self.asked)
        with self.console.status("handing the report in") as status:

            def show(what: str, share: float | None) -> None:
                status.update(what if share is None else f"{what}, {share:.0%}")

            result = self.file(written, show)
        return render(self.drill.scenario, self.drill.entries(), written, result)

    def file(self, written: Report, progress: ProgressFn) -> dict[str, Any]:
        """Hands the report in; the grade's document."""
        return session.file_report(self.drill, written, progress)

    def on_debrief(self, _: str) -> RenderableType:
        result, entries = session.grade(self.drill), self.drill.entries()
        written = session.filed_report(entries)
        assert written is not None
        return render(self.drill.scenario, entries, written, result)

    def _pass_on(self, word: str, rest: str) -> None:
        """Has the `sandbox` command of that name answer on the terminal, on this drill's stack."""
        try:
            words = shlex.split(rest)
        except ValueError:  # a quote that does not end
            words = rest.split()
        command = [sys.executable, "-m", "sandbox.cli.app", word, *words]
        if word == "act" and not rest:
            return self.console.print(self.actions_view())
        done = subprocess.run(
            [*command, "--run-dir", self.drill.plan.run_dir], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        self.console.print(Text.from_ansi((done.stdout + done.stderr).rstrip()))

    def actions_view(self) -> RenderableType:
        rows = [[k.name, k.summary, " ".join(k.arguments)] for k in ACTIONS.values()]
        return answer_view(["action", "what it does", "arguments"], rows)

    def close(self) -> None:
        self._lake.close()


class ShellCompleter(Completer):
    """Commands at the beginning of a line; tables, columns and SQL words elsewhere; arguments of acts."""

    SQL = (
        "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "JOIN", "USING", "LIMIT", "WITH",
        "FILTER", "INTERVAL", "DESC", "count(*)", "median", "avg", "quantile_cont", "date_trunc", "max", "min",
    )  # fmt: skip

    def __init__(self, commands: Iterable[str]) -> None:
        self._commands = sorted({*commands, *_PASSED_ON, "quit"})
        self._names = sorted({*TABLES, "ic", *(c.name for t in TABLES.values() for c in t.columns)})

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        text = document.text_before_cursor.lstrip()
        typed = document.get_word_before_cursor(pattern=None, WORD=True)
        word, _, rest = text.partition(" ")
        if word == "act":
            yield from _matching(_act_words(rest), typed)
            return
        typed = document.get_word_before_cursor()
        if " " not in text:
            yield from _matching(self._commands, typed)
        yield from _matching(TABLES if word == "describe" else self._names, typed)
        if word not in self._commands:
            yield from _matching(self.SQL, typed)


def _act_words(rest: str) -> list[str]:
    """Names of actions, then the arguments that the action still lacks."""
    name, blank, given = rest.partition(" ")
    if not blank:
        return list(ACTIONS)
    kind = ACTIONS.get(name)
    return [f"{a}=" for a in kind.arguments if f"{a}=" not in given] if kind else []


def _matching(words: Iterable[str], typed: str) -> Iterable[Completion]:
    for word in words:
        if word.lower().startswith(typed.lower()):
            yield Completion(word, start_position=-len(typed))


class Watch:
    """What the toolbar shows, kept up to date by a thread of its own: world time, alerts, the page."""

    def __init__(self, drill: Drill, announce: Callable[[str, str], None]) -> None:
        self.drill, self._announce = drill, announce
        self._run, self._stop = drill.run, threading.Event()
        self.firing: list[str] = []
        self._began = drill.began() or 0.0
        self._length_s = drill.scenario.length_s
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def toolbar(self) -> HTML:
        now = self._run.clock().now()
        minutes, length = (now - self._began) / 60, self._length_s / 60
        state = (
            f"<b>{len(self.firing)} firing:</b> {', '.join(self.firing)}"
            if self.firing
            else "no alert"
        )
        return HTML(
            f" world {world_time(now)[11:]}   {minutes:.0f} of {length:.0f} world min   {state}   help, quit"
        )

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(15)

    def _look(self) -> None:
        told = False
        with SqlWorker(self._run.lake) as lake:
            while not self._stop.wait(WATCH_S):
                page = first(self.drill.entries(), "page")
                if page is not None and not told:
                    told = True
                    self._announce(str(page.fields["text"]), world_time(page.world_ts))
                try:
                    rows = lake.query(_ALERTS).rows
                except SandboxError:
                    continue  # a busy lake: the next look will tell
                self.firing = [str(row[0]) for row in rows if row[1] == "firing"]


def open_shell(drill: Drill, **streams: Any) -> None:
    """Runs the shell until the trainee leaves, then takes down the stack that came up for the drill.

    streams: `input` and `output` of prompt_toolkit, for tests.
    """
    with patch_stdout(raw=True):
        console = Console(file=sys.stdout, force_terminal=True)
        shell = Shell(drill, console)
        watch = Watch(drill, lambda text, when: console.print(page_view(text, when)))
        prompt: PromptSession[str] = PromptSession(
            history=FileHistory(str(history_path())), lexer=PygmentsLexer(SqlLexer),
            completer=ShellCompleter(shell.commands), complete_while_typing=False,
            bottom_toolbar=watch.toolbar, refresh_interval=WATCH_S, **streams,
        )  # fmt: skip
        console.print(
            f"[bold]{escape(drill.scenario.title)}[/]\n\n{escape(drill.scenario.briefing)}"
        )
        console.print("The stack is up and its users are busy. Type SQL, or `help`.\n")
        watch.start()
        try:
            while shell.answer(next_line(prompt)):
                pass
        finally:
            watch.close()
            shell.close()
            if drill.plan.own_stack:
                console.print("taking the stack down")
                Stack(Path(drill.plan.run_dir)).down()


def next_line(prompt: PromptSession[str]) -> str:
    while True:
        try:
            return prompt.prompt("drill> ")
        except KeyboardInterrupt:  # Ctrl-C clears the line, as in any shell
            continue
        except EOFError:
            return "quit"


def history_path() -> Path:
    paths.home().mkdir(parents=True, exist_ok=True)
    return paths.home() / "shell-history"
