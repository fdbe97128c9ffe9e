"""The debrief in the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox.drill.debrief.curves import curves, tells_most
from sandbox.drill.terminal import charts

_HOT = ("armed", "page", "disarmed")
_LONG = 100  # characters of a query in the timeline


def render(document: dict[str, Any]) -> RenderableType:
    """document: of `debrief.document`."""
    score, baseline = document["score"], document["baseline_score"]
    graded = f"score [bold]{score:.0%}[/]    (an answer without looking: {baseline:.0%})"
    marks = graded if document["report"] else "given up, without marks"
    head = Text.from_markup(f"[bold]{escape(document['title'])}[/]    {marks}")
    if blind := document.get("baseline_answer"):
        head.append(f"\nwithout looking: {blind}", style="dim")
    parts: list[RenderableType] = [head, _items(document)]
    if document.get("twin"):
        told = document["twin"]
        parts.append(Text(charts.in_blocks(curves(told, tells_most(told)))))
    parts += [Text(notice, style="yellow") for notice in document.get("notices", [])]
    parts += [_truth(document), _timeline(document)]
    if document["happened"] or not document["truth"]["incident"]:
        parts.append(Panel(escape(document["explanation"].strip()), title="What happened"))
    else:
        parts.append(Panel("This time the fault was left out: nothing was wrong.", title="What happened"))
    parts.append(_evidence(document))
    parts.append(
        Text.from_markup(
            f"[dim]teaches[/]      {escape(document['teaches'])}\n"
            f"[dim]precedent[/]    {escape(document['precedent'])}\n"
            f"[dim]looks like[/]   {escape(', '.join(document['look_alikes'])) or '-'}\n"
            "[dim]as a page[/]    sandbox drill debrief --html debrief.html"
        )
    )
    return Group(*parts)


def _items(document: dict[str, Any]) -> Table:
    table = Table("item", "score", "of", "why", box=None, pad_edge=False)
    for item in document["items"]:
        if item["max"] == 0 and item["item"] in ("impact", "evidence"):
            continue
        full = item["max"] > 0 and item["score"] >= item["max"] - 1e-9
        colour = "green" if full else "yellow" if item["score"] > 0 else "red"
        shown = f"[{colour}]{item['score']:.2f}[/]" if item["max"] or item["score"] else "[dim]-[/]"
        table.add_row(item["item"], shown, f"{item['max']:.2f}", escape(item["why"]))
    return table


def _truth(document: dict[str, Any]) -> Table:
    table = Table("", "it was", "you said", box=None, pad_edge=False)
    for row in document["compared"]:
        table.add_row(row["what"], escape(row["was"]), escape(row["said"]))
    return table


def _timeline(document: dict[str, Any]) -> Table:
    table = Table("world time", "", "", box=None, pad_edge=False)
    for row in document["timeline"]:
        what = f"[bold]{row['what']}[/]" if row["kind"] in _HOT else row["what"]
        table.add_row(row["ts"][11:], what, Text(_one_line(row["words"])))
    return table


def _one_line(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _LONG else f"{line[:_LONG]}…"


def _evidence(document: dict[str, Any]) -> Text:
    """Each claim and below it its query, nothing beside it, so that it can be copied."""
    return Text("\n").join(
        Text.assemble((f"{one['claim']}\n", "bold"), (f"{one['sql'].strip()}\n", "dim")) for one in document["evidence"]
    )
