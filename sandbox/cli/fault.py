"""`sandbox fault`: the catalogue of what can break, and how each shows."""

from __future__ import annotations

import typer
from rich.table import Table

from sandbox.cli.options import Json
from sandbox.cli.output import emit, out

app = typer.Typer(help="What can break, and how it shows.", no_args_is_help=True)


@app.command("list")
def list_(json_: Json = False) -> None:
    """All faults with their knobs."""
    from faults.catalogue import CATALOGUE

    rows = [fault.describe() for fault in CATALOGUE.values()]

    def human() -> None:
        table = Table("fault", "layer", "seam", "what it does", "knobs")
        for row in rows:
            table.add_row(
                row["name"], row["layer"], row["seam"], row["summary"], ", ".join(row["knobs"])
            )
        out.print(table)

    emit(rows, human, json_)


@app.command()
def show(name: str, json_: Json = False) -> None:
    """One fault: what moves, what does not, what it is confused with."""
    from faults.catalogue import fault_named

    row = fault_named(name).describe()

    def human() -> None:
        out.print(
            f"[bold]{row['name']}[/]  ({row['layer']}, seam {row['seam']})\n{row['summary']}\n"
        )
        for label in ("moves", "stays", "repairs"):
            out.print(f"[dim]{label:>12}[/]  {row[label]}")
        out.print(f"[dim]{'look-alikes':>12}[/]  {', '.join(row['look_alikes'])}")
        for knob, schema in row["knobs"].items():
            out.print(f"[dim]{'knob':>12}[/]  {knob}: {schema}", markup=True)

    emit(row, human, json_)
