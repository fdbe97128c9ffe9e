"""`sandbox fault`: the catalogue of what can break, where it can be armed, and how each shows."""

from __future__ import annotations

from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.cli.options import Json
from sandbox.cli.output import emit, out

app = typer.Typer(help="What can break, and how it shows.", no_args_is_help=True)


@app.command("list")
def list_(json_: Json = False) -> None:
    """All faults: what each does, where it can be armed, which parts of a scope hold there."""
    from faults import reach
    from faults.catalogue import CATALOGUE

    rows = [reach.document(fault) for fault in CATALOGUE.values()]

    def human() -> None:
        # Names are what one copies from here: a narrow terminal gives way elsewhere.
        widest = max(len(row["name"]) for row in rows)
        if out.width < widest + 60:
            for fault in CATALOGUE.values():
                _entry(reach.document(fault), reach.place(fault), reach.told(fault))
            return
        table = Table(box=None, pad_edge=False)
        table.add_column("fault", no_wrap=True, min_width=widest)
        for heading in ("what it does", "armed in", "what holds there", "knobs"):
            table.add_column(heading, overflow="fold")
        for fault in CATALOGUE.values():
            row = reach.document(fault)
            table.add_row(
                row["name"],
                escape(row["summary"]),
                escape(reach.place(fault)),
                reach.told(fault),
                ", ".join(row["knobs"]) or "-",
            )
        out.print(table)

    emit(rows, human, json_)


def _entry(row: dict[str, Any], place: str, holds: str) -> None:
    # soft_wrap: a name longer than the line is the terminal's to break, not ours to cut.
    out.print(f"[bold]{row['name']}[/]", soft_wrap=True)
    for text in (row["summary"], f"armed in {place}", f"holds there: {holds}",
                 f"knobs: {', '.join(row['knobs']) or '-'}"):  # fmt: skip
        out.print(f"  {escape(text)}")


@app.command()
def show(name: str, json_: Json = False) -> None:
    """One fault: what moves, what does not, where it can be armed, what it is confused with."""
    from faults import reach
    from faults.catalogue import fault_named

    fault = fault_named(name)
    row = reach.document(fault)

    def human() -> None:
        out.print(f"[bold]{row['name']}[/]  ({row['layer']}, seam {row['seam']})\n{escape(row['summary'])}\n")
        for label in ("moves", "stays", "repairs"):
            out.print(f"[dim]{label:>12}[/]  {escape(row[label])}")
        out.print(f"[dim]{'look-alikes':>12}[/]  {', '.join(row['look_alikes'])}")
        out.print(f"[dim]{'armed in':>12}[/]  {escape(reach.place(fault))}")
        why = f"  ({row['why_not']})" if row["why_not"] else ""
        out.print(f"[dim]{'holds there':>12}[/]  {reach.told(fault)}{why}")
        for knob, schema in row["knobs"].items():
            out.print(f"[dim]{'knob':>12}[/]  {escape(f'{knob}: {schema}')}")

    emit(row, human, json_)
