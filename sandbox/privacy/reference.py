"""Prints docs/privacy.md with its table of rules made anew: `python -m sandbox.privacy.reference docs/privacy.md`.

What stands between the two marks comes from the laws; the rest of the page is written by hand. With --check FILE
nothing is printed: it ends with 1 when FILE is not what would be printed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.base.printed import print_or_check
from sandbox.privacy.deadlines import Deadline
from sandbox.privacy.rules import Answered, Consent, Demand, Duty, Minors, Retention, Rule, Signal, day_of, laws

BEGIN = "<!-- rules: printed by `python -m sandbox.privacy.reference`; do not edit by hand -->"
END = "<!-- end of rules -->"


def described(at_ts: float | None = None) -> list[dict[str, Any]]:
    """A row per rule, in the order of the laws. at_ts: only what holds at that world time."""
    return [
        {
            "law": law.law, "title": law.title, "jurisdictions": list(law.jurisdictions), "rule": rule.id,
            "article": rule.article, "says": law.articles[rule.article], "demands": in_words(rule.demands),
            "from": rule.effective_from and rule.effective_from.isoformat(), "until": rule.until and rule.until.isoformat(),
            "status": rule.status, "standing": rule.standing or rule.status.replace("-", " "),
            "source": rule.source, "source_date": rule.source_date.isoformat(), "sure": rule.sure,
            "simplified": rule.simplified,
        }
        for law in laws() for rule in law.rules if at_ts is None or rule.holds(day_of(at_ts))
    ]  # fmt: skip


def in_words(demands: Demand) -> str:
    """What a rule demands, in one line."""
    match demands:
        case Consent():
            return f"{_list(demands.purposes)}: {demands.mode}"
        case Signal():
            return f"{_list(demands.signals)} is a no to {_list(demands.purposes)}"
        case Minors():
            effect = {"forbidden": "never", "parent": "a parent's consent", "opt-in": "opt-in of their own"}[
                demands.effect
            ]
            return f"{_list([demands.purpose])} below {demands.below}: {effect}"
        case Retention():
            return f"events at most {demands.days} days"
        case Answered():
            confirm = f", confirmed in {_time(demands.confirm)}" if demands.confirm else ""
            return f"{demands.kind} within {_time(demands.deadline)}{confirm}"
        case Duty():
            return demands.what


def page(text: str) -> str:
    """The page with the table in its place. Raises ValueError for a page without the marks."""
    head, found, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not (found and ended):
        raise ValueError("docs/privacy.md has no place for the rules: both marks must stand in it")
    return head + "\n".join([BEGIN, *_tables(), END]) + tail


def _tables() -> Iterator[str]:
    for law in laws():
        yield from ("", f"### {law.law}: {law.title}", "")
        yield f"For people of: {', '.join(law.jurisdictions)}." + (f" {law.note}" if law.note else "")
        yield from (
            "",
            "| rule | article | demands | in force | source | simplified |",
            "| --- | --- | --- | --- | --- | --- |",
        )
        for rule in law.rules:
            cells = (
                f"`{rule.id}`", f"{rule.article}: {law.articles[rule.article]}", in_words(rule.demands), _when(rule),
                f"{rule.source} ({rule.source_date})" + ("" if rule.sure else "; **uncertain**"), rule.simplified,
            )  # fmt: skip
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _when(rule: Rule) -> str:
    if rule.effective_from is None:
        return f"{rule.status}: {rule.standing}"
    return f"from {rule.effective_from}" + (f" until {rule.until}" if rule.until else "")


def _time(deadline: Deadline) -> str:
    unit = deadline.unit.replace("-", " ") + ("s" if deadline.count > 1 else "")
    return f"{deadline.count} {unit}" + (f" (+{deadline.extension})" if deadline.extension else "")


def _list(words: list[Any]) -> str:
    return " and ".join(str(word).replace("_", " ") for word in words)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(print_or_check(page(Path(arguments[-1]).read_text()), arguments))
