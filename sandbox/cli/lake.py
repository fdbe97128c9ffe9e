"""`sandbox lake`: the telemetry of a run as a whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sandbox.base import paths
from sandbox.base.run import RunInfo
from sandbox.cli.options import Json
from sandbox.cli.output import emit, out

app = typer.Typer(help="The telemetry of a run as a whole.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The telemetry of a run as a whole."""


@app.command("hash")
def hash_(
    run: Annotated[str, typer.Argument(help="Run directory, or its name under SANDBOX_HOME/runs.")], json_: Json = False
) -> None:
    """One hash for each table: equal for two runs that wrote the same rows, in whatever order."""
    from sandbox.telemetry.hash import lake_hash

    directory = Path(run)
    if not directory.is_dir() and Path(run).name == run:
        directory = paths.runs() / run
    hashes = lake_hash(RunInfo.load(directory.absolute()).lake)

    def human() -> None:
        table = Table("table", "hash", box=None)
        for name, digest in hashes.tables.items():
            table.add_row(name, digest)
        table.add_row("all", hashes.all, style="bold")
        out.print(table)

    emit(asdict(hashes), human, json_)
