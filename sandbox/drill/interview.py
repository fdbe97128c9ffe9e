"""The incident report by questions, for whoever sits at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import shorten
from typing import Any

from prompt_toolkit import prompt
from prompt_toolkit.completion import WordCompleter

from sandbox.base.errors import SandboxError
from sandbox.drill import taxonomy
from sandbox.drill.report import SIZED, Report, checked, require_paged, within, world_time
from sandbox.drill.store import Drill

Ask = Callable[[str, str, list[str]], str]  # question, default, words to complete -> answer
Say = Callable[[str], None]
_OFFERED = 20  # of the latest queries, as many as a report may quote
# Questions whose answers have a form: it is told again with them.
_AGAIN = {
    "segment": "Whom did it hit (column=value ..., nothing for everyone)?",
    "impact": "How great is the harm so far (clicks=120 or clicks=80..120..160 ..., nothing if you cannot say)?",
}


def ask_at_terminal(question: str, default: str, words: list[str]) -> str:
    """One line from the terminal, with completion."""
    completer = WordCompleter(words, sentence=True, match_middle=True) if words else None
    return prompt(f"{question} ", default=default, completer=completer).strip()


def interview(
    drill: Drill, ask: Ask = ask_at_terminal, say: Say = print, now: float | None = None,
    queries: Sequence[str] = (),
) -> Report:  # fmt: skip
    """Asks for each part of the report, again where an answer is refused. now: world seconds; None for
    the drill's own. queries: SQL that was asked, to choose the evidence from. Raises DRILL-003 before
    the page."""
    began = drill.began()
    assert began is not None
    now = drill.now() if now is None else now
    paged = drill.paged()
    require_paged(paged)
    assert paged is not None
    fields: dict[str, Any] = {
        "incident": _yes(ask("Was there an incident (yes or no)?", "yes", ["yes", "no"]))
    }
    if fields["incident"]:
        day = world_time(now)[:11]
        fields |= {
            "started_at": ask("When did it start (world time)?", day, []),
            "detected_at": ask("When was it detected?", world_time(paged), []),
            "component": ask("Which component?", "", list(taxonomy.COMPONENTS)),
            "mechanism": ask(
                "Which mechanism, or family?", "", [*taxonomy.MECHANISMS, *taxonomy.FAMILIES]
            ),
            "segment": _segment(
                ask(_AGAIN["segment"], "", [f"{c}=" for c in taxonomy.SEGMENT_COLUMNS])
            ),
        }  # fmt: skip
    else:
        benign = [m.name for m in taxonomy.MECHANISMS.values() if m.family == "benign"]
        fields["mechanism"] = ask("What explains what was seen?", "coincident-change", benign)
    fields["impact"] = _sizes(ask(_AGAIN["impact"], "", [f"{name}=" for name in SIZED]))
    offered = list(dict.fromkeys(queries))[-_OFFERED:]
    fields["evidence"] = _evidence(offered, ask, say)
    fields["confidence"] = ask("How sure are you, 0 to 1?", "0.7", [])
    fields["notes"] = ask("Notes (one line)?", "", [])
    while True:
        try:
            return within(checked(_numbers(fields)), began, now)
        except SandboxError as error:
            name = error.where.rpartition(", ")[2].partition("[")[0].partition(".")[0]
            say(f"{error.where}: {error.seen!r}; expected {error.expected}")
            if name == "evidence":
                fields[name] = _evidence(offered, ask, say)
                continue
            known = fields.get(name)
            fields[name] = ask(
                _AGAIN.get(name, f"{name}?"),
                "" if isinstance(known, dict) else str(known or ""),
                [],
            )
            if name == "segment":
                fields[name] = _segment(fields[name])
            if name == "impact":
                fields[name] = _sizes(fields[name])
            if name == "incident":
                fields[name] = _yes(fields[name])


def _yes(text: str) -> bool:
    return text.lower() in ("y", "yes", "true", "1")


def _segment(text: str) -> dict[str, Any]:
    pairs = (word.partition("=") for word in text.replace(",", " ").split())
    return {column: value for column, _, value in pairs}


def _evidence(queries: list[str], ask: Ask, say: Say) -> list[dict[str, str]]:
    """The queries that are chosen by number, each with what it shows."""
    if not queries:
        return []
    for number, sql in enumerate(queries, 1):
        say(f"{number:>3}  {shorten(sql, 120)}")
    while True:
        words = ask("Which of these queries show it (numbers, nothing for none)?", "", []).replace(",", " ").split()  # fmt: skip
        wrong = [w for w in words if not (w.isdecimal() and 1 <= int(w) <= len(queries))]
        if not wrong:
            break
        say(f"{wrong[0]!r}; expected numbers from 1 to {len(queries)}")
    return [
        {"claim": ask(f"What does {n} show?", "as the query says", []), "sql": queries[n - 1]}
        for n in dict.fromkeys(map(int, words))
    ]


def _sizes(text: str) -> dict[str, Any]:
    """`clicks=120 p99_ms=20..40` as a report has it: a number, low..high, or low..estimate..high. What is
    no number stays as it is, to be refused by name."""
    sizes: dict[str, Any] = {}
    for word in text.replace(",", " ").split():
        name, _, value = word.partition("=")
        try:
            numbers = [float(part) for part in value.split("..")]
        except ValueError:
            numbers = []
        if len(numbers) == 1:
            sizes[name] = numbers[0]
        elif len(numbers) in (2, 3):
            middle = numbers[1] if len(numbers) == 3 else (numbers[0] + numbers[1]) / 2
            sizes[name] = {"estimate": middle, "low": numbers[0], "high": numbers[-1]}
        else:
            sizes[name] = value
    return sizes


def _numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """Answers with confidence as a number where it is one; what is not is refused by name."""
    try:
        return {**fields, "confidence": float(fields["confidence"])}
    except ValueError:
        return fields
