"""What a trainee sees: plain renderings of status, answers, alerts, changes and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from sandbox.drill.play.report import world_time
from sandbox.drill.scenario import taxonomy
from sandbox.runtime.operate.actions import ACTIONS
from sandbox.runtime.operate.operations import Operations, Record
from sandbox.runtime.operate.planning import Kind
from sandbox.telemetry.answers import answer, count

MAX_SHOWN = 500  # rows of an answer
ALERTS = "SELECT rule, arg_max(state, ts) AS state, max(ts) AS since, arg_max(summary, ts) AS summary FROM alerts GROUP BY rule ORDER BY since"


def status_view(document: dict[str, Any]) -> RenderableType:
    """`sandbox drill status` for people. document: as `standing.status` makes it."""
    minutes = f"{document['elapsed_s'] / 60:.0f} world minutes in, {document['left_s'] / 60:.0f} left"
    parts: list[RenderableType] = [
        Text.from_markup(
            f"[bold]{escape(document['title'])}[/]  phase {document['phase']}  "
            f"world time {document['world_time']}  ({minutes})"
        )
    ]
    parts += [page_view(page["text"], page["ts"]) for page in document["pages"]]
    if not document["pages"]:
        parts.append(Text("no page yet", style="dim"))
    for number, text in enumerate(document["hints_given"], 1):
        parts.append(Text(f"hint {number}: {text}"))
    for action in document["actions"]:
        parts.append(Text(f"{action['ts']} you did: {action['action']}"))
    return Group(*parts)


def page_view(text: str, when: str) -> RenderableType:
    return Panel(escape(text.strip()), title=f"page, {when}", border_style="red")


def answer_view(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int, *, cut: bool = False
) -> RenderableType:
    """The answer to a query, for a terminal of so many characters. cut: the lake has more rows."""
    more = len(rows) - MAX_SHOWN
    tail = count(len(rows)) + (f", {more:,} not shown" if more > 0 else "")
    tail += " (there are more: LIMIT or aggregate)" if cut else ""
    return Group(answer(columns, rows[:MAX_SHOWN], width), Text(tail, style="dim"))


def listing(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    """Texts that are read rather than compared: cells are folded to the terminal's width."""
    table = Table(*columns, header_style="bold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def changes_view(records: Sequence[Record]) -> RenderableType:
    """What was changed on the stack, each with the number that `revert change=N` takes."""
    if not records:
        return Text("nothing was changed so far", style="dim")
    what = Column("what", no_wrap=True)  # a name that is cut could not be typed
    table = Table("N", "world time", what, "old -> new", "by", "note", header_style="bold")
    for r in records:
        number = str(r.n) if r.before else f"[dim]{r.n}[/]"
        table.add_row(
            number, world_time(r.ts)[5:], escape(f"{r.target} {r.key}"), escape(f"{r.old} -> {r.new}"),
            escape(r.actor), escape(r.note),
        )  # fmt: skip
    return Group(table, Text("`act revert change=N` takes one back; dim ones cannot be", style="dim"))


def actions_view() -> RenderableType:
    rows = [[k.name, k.summary, " ".join(k.arguments)] for k in ACTIONS.values()]
    return Group(
        listing(["action", "what it does", "arguments"], rows),
        Text("`act NAME` alone says what its arguments may be", style="dim"),
    )


def explained_view(kind: Kind, operations: Operations) -> RenderableType:
    """The arguments of one action: what each may be on this stack, and what is in force."""
    parts: list[RenderableType] = [Text.assemble((kind.name, "bold"), f": {kind.summary}")]
    for one in kind.explained(operations):
        needed = " (may be left out)" if one.optional else ""
        about = one.about.removesuffix(" (optional)")
        parts.append(Text.assemble((f"  {one.name}=", "bold"), f"  {about}{needed}"))
        parts += [Padding(Text(f"may be: {one.legal}"), (0, 0, 0, 6))] if one.legal else []
        parts += [Padding(Text(f"now: {one.now}", style="dim"), (0, 0, 0, 6))] if one.now else []
    example = " ".join(f"{name}=..." for name in kind.arguments if name not in kind.optional)
    parts.append(Text(f"for example: act {kind.name} {example}".rstrip(), style="dim"))
    return Group(*parts)


def words_view() -> RenderableType:
    """The words of a report."""
    components = Table("component", "what it is", title="components")
    for component in taxonomy.COMPONENTS.values():
        components.add_row(component.name, component.about)
    mechanisms = Table("family", "mechanism", "what goes on", title="mechanisms")
    for mechanism in taxonomy.MECHANISMS.values():
        mechanisms.add_row(mechanism.family, mechanism.name, mechanism.about)
    return Group(components, mechanisms, Text(f"segments: {', '.join(taxonomy.SEGMENT_COLUMNS)}"))
