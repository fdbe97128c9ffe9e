"""The terminal of a drill shell: lines that may be SQL over several, questions, and answers by the page."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer
from rich.console import Console, RenderableType

from sandbox.base import paths
from sandbox.drill.terminal.completion import ShellCompleter
from sandbox.drill.terminal.replies import UnclearError, yes_no
from sandbox.drill.terminal.sql_text import is_ended, is_sql

REFRESH_S = 1.0  # wall seconds between two drawings of the toolbar
PASTE_S = 0.03  # wall seconds in which the next line of a paste arrives, and a person's does not
Toolbar = Callable[[], Sequence[str]]  # what it says, the most important part first


class Terminal:
    """streams: `input` and `output` of prompt_toolkit, for tests."""

    def __init__(self, commands: Iterable[str], toolbar: Toolbar, **streams: Any) -> None:
        self._toolbar, self._streams = toolbar, streams
        self._lines: PromptSession[str] = PromptSession(
            history=FileHistory(str(_history())), lexer=PygmentsLexer(SqlLexer),
            completer=ShellCompleter(commands), complete_while_typing=False,
            key_bindings=_enter(), prompt_continuation=_continues, bottom_toolbar=self._bar,
            refresh_interval=REFRESH_S, **streams,
        )  # fmt: skip
        self._questions: PromptSession[str] = PromptSession(
            bottom_toolbar=self._bar, refresh_interval=REFRESH_S, **streams
        )

    def line(self) -> str | None:
        """The next command or query; None at the end of the input (Ctrl-D)."""
        while True:
            try:
                return self._lines.prompt("drill> ")
            except KeyboardInterrupt:  # Ctrl-C clears the line, as in any shell
                continue
            except EOFError:
                return None

    def ask(self, question: str, words: Sequence[str] = ()) -> str:
        """One line. Raises KeyboardInterrupt and EOFError as they are typed."""
        completer = WordCompleter(list(words), sentence=True, match_middle=True) if words else None
        # None would leave the completer of the question before in place.
        return self._questions.prompt(f"{question} ", completer=completer or WordCompleter([])).strip()

    def _bar(self) -> AnyFormattedText:
        return [("", fitted(self._toolbar(), get_app().output.get_size().columns))]


def agreed(ask: Callable[[str], str], question: str) -> bool:
    """Yes or no, asked until it is one of them; Enter means no."""
    while True:
        text = ask(f"{question} [no]")
        try:
            return bool(text) and yes_no(text)
        except UnclearError:
            question = question if question.startswith("yes or no: ") else f"yes or no: {question}"


def fitted(parts: Sequence[str], width: int) -> str:
    """As many of them as fit on one line of so many characters, none cut in the middle but the first."""
    shown = f" {parts[0]}"
    for part in parts[1:]:
        if len(shown) + 3 + len(part) < width:
            shown += f"   {part}"
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def paged(console: Console, what: RenderableType, ask: Callable[[str], str] | None, lines: int | None = None) -> None:
    """Prints it; what is longer than the terminal a screenful at a time. ask: None prints it all. lines: of
    a screen, None for the terminal's."""
    with console.capture() as captured:
        console.print(what)
    shown = captured.get().splitlines(keepends=True)
    screen = max(5, (lines or console.height) - 2)  # the question and the toolbar have a line each
    if ask is None or len(shown) <= screen:
        console.file.write("".join(shown))
        console.file.flush()
        return
    at = 0
    while at < len(shown):
        console.file.write("".join(shown[at : at + screen]))
        console.file.flush()
        at += screen
        if at >= len(shown):
            break
        wish = ask(f"-- {len(shown) - at} more lines: Enter goes on, a shows all, q stops --").strip().lower()
        if wish.startswith("q"):
            break
        if wish.startswith("a"):
            screen = len(shown)


def _enter() -> KeyBindings:
    """Enter ends a command, and SQL at `;` or after an empty line; within a paste it does so at `;` only."""
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        text = buffer.text
        if not is_sql(text) or is_ended(text) or _is_done(event):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


def _is_done(event: KeyPressEvent) -> bool:
    """Whether Enter was typed on an empty line; an empty line of a paste is only that."""
    empty = not event.current_buffer.document.current_line.strip()
    return empty and not _more_comes(event)


def _more_comes(event: KeyPressEvent) -> bool:
    """Whether keys are waiting: those of a paste are there at once."""
    if event.app.key_processor.input_queue:
        return True
    try:
        return bool(select.select([event.app.input.fileno()], [], [], PASTE_S)[0])
    except (OSError, ValueError, NotImplementedError):  # no file behind it
        return False


def _continues(width: int, line: int, wrapped: int) -> str:
    return " " * width if wrapped else "...> ".rjust(width)


def _history() -> Path:
    paths.home().mkdir(parents=True, exist_ok=True)
    return paths.home() / "shell-history"
