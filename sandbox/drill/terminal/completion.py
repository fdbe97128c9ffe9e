"""What Tab completes in the drill shell."""

from __future__ import annotations

from collections.abc import Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from sandbox.base.schema import TABLES
from sandbox.runtime.operate.actions import ACTIONS


class ShellCompleter(Completer):
    """Commands at the beginning of a line; tables, columns and SQL words elsewhere; arguments of acts."""

    SQL = (
        "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "JOIN", "USING", "LIMIT", "WITH",
        "FILTER", "INTERVAL", "DESC", "count(*)", "median", "avg", "quantile_cont", "date_trunc", "max", "min",
    )  # fmt: skip

    def __init__(self, commands: Iterable[str]) -> None:
        self._commands = sorted({*commands, "quit"})
        self._names = sorted({*TABLES, "ic", *(c.name for t in TABLES.values() for c in t.columns)})

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor.lstrip()
        typed = document.get_word_before_cursor(pattern=None, WORD=True)
        word, _, rest = text.partition(" ")
        if word == "act":
            yield from _matching(_act_words(rest), typed)
            return
        typed = document.get_word_before_cursor()
        if not any(blank in text for blank in " \n"):
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
