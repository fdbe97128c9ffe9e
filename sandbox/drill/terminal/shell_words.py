"""Errors and nonsense in the words of the drill shell. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from rich.markup import escape

from sandbox.base.errors import SandboxError
from sandbox.base.schema import TABLES
from sandbox.drill.terminal.sql_text import SQL_WORDS

# What a message says to do outside -> how it is said inside. In this order.
_INSIDE = (
    (re.compile(r"sandbox sql --tables"), "tables"),
    (re.compile(r"sandbox sql --describe(=| )"), "describe "),
    (re.compile(r"sandbox sql ([\"'])(.*?)\1"), r"\2"),
    (re.compile(r"sandbox act --list-changes"), "changes"),
    (re.compile(r"sandbox act --help"), "act"),
    (re.compile(r"sandbox (act|trace|recommend)\b"), r"\1"),
    (re.compile(r"sandbox drill debrief --abandon"), "quit"),
    (re.compile(r"sandbox drill (status|hint|report|debrief|words)\b"), r"\1"),
    (re.compile(r"; or allow more: --timeout"), ""),
)


def inside(text: str) -> str:
    """A message with the shell's own words for what can be typed there."""
    for outside, word in _INSIDE:
        text = outside.sub(word, text)
    return text


def told(error: SandboxError) -> str:
    """An error as markup, in five parts."""
    lines = [f"[bold red]{error.kind.code}[/] {escape(error.kind.title)}"]
    for label in ("where", "seen", "expected", "fix"):
        lines.append(f"  [dim]{label:<9}[/] {escape(inside(str(getattr(error, label))))}")
    return "\n".join(lines)


def no_such(word: str, commands: Collection[str]) -> str:
    """Markup that says so, with what it may have been meant for."""
    if word.lower() in TABLES:
        return (
            f"[bold red]no such command[/] {word}; it is a table: `describe {word}` lists its columns, "
            f"`select * from {word} limit 5;` shows rows"
        )
    near = difflib.get_close_matches(word.lower(), [*commands, *SQL_WORDS], 3, 0.6)
    meant = f"; did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
    return (
        f"[bold red]no such command[/] {escape(word[:60])}{meant} "
        "[dim](`help` lists them; SQL begins with SELECT or WITH)[/]"
    )
