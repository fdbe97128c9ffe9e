"""What a trainee sees: plain renderings of status, answers, alerts, changes and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox.drill import taxonomy

MAX_SHOWN = 60  # rows of an answer on a screen


def status_view(document: dict[str, Any]) -> RenderableType:
    """`sandbox drill status` for people. document: as session.status makes it."""
    minutes = (
        f"{document['elapsed_s'] / 60:.0f} world minutes in, {document['left_s'] / 60:.0f} left"
    )
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


def answer_view(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> RenderableType:
    """The answer to a query."""
    table = Table(*columns)
    for row in rows[:MAX_SHOWN]:
        table.add_row(*(escape(cell(value)) for value in row))
    more = len(rows) - MAX_SHOWN
    tail = f"{len(rows)} rows" + (f", {more} not shown" if more > 0 else "")
    return Group(table, Text(tail, style="dim"))


def cell(value: Any) -> str:
    """One value of an answer, as short as it is clear."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def words_view() -> RenderableType:
    """The words of a report."""
    components = Table("component", "what it is", title="components")
    for component in taxonomy.COMPONENTS.values():
        components.add_row(component.name, component.about)
    mechanisms = Table("family", "mechanism", "what goes on", title="mechanisms")
    for mechanism in taxonomy.MECHANISMS.values():
        mechanisms.add_row(mechanism.family, mechanism.name, mechanism.about)
    return Group(components, mechanisms, Text(f"segments: {', '.join(taxonomy.SEGMENT_COLUMNS)}"))
