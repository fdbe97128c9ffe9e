"""`sandbox world import`: anybody's log becomes a world."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.cli.options import Json
from sandbox.cli.output import emit, err, out, progress

if TYPE_CHECKING:
    from sandbox.world.importers.importing import Imported
    from sandbox.world.importers.source import Source

app = typer.Typer(help="Turn real data into a world that answers to slates nobody was shown.",
                  no_args_is_help=True)  # fmt: skip

Folder = Annotated[Path, typer.Argument(help="Folder as the publisher ships it, unpacked.")]
Name = Annotated[str, typer.Option("--name", help="Name of the world.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a world of that name.")]


@app.command()
def movielens(
    folder: Folder, name: Name = "movielens", force: Force = False, json_: Json = False
) -> None:
    """MovieLens: the 100k format (u.data, u.item, u.user, u.genre) or ratings.csv and movies.csv."""
    from sandbox.world.importers import movielens as reader

    _run(lambda: reader.read(folder), name, force, json_)


@app.command()
def obd(folder: Folder, name: Name = "obd", force: Force = False, json_: Json = False) -> None:
    """Open Bandit Dataset: impressions with position, propensity and click."""
    from sandbox.world.importers import obd as reader

    _run(lambda: reader.read(folder), name, force, json_)


@app.command()
def csv(
    interactions: Annotated[Path, typer.Option(help="The log: a row per interaction.")],
    name: Annotated[str, typer.Option("--name", help="Name of the world.")],
    items: Annotated[Path | None, typer.Option(help="A row per item.")] = None,
    users: Annotated[Path | None, typer.Option(help="A row per user.")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="ROLE=COLUMN: user, item, time, value, or an attribute."),
    ] = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Any log: delimiter, quoting, encoding and form of time are recognised."""
    from sandbox.world.importers import table as reader

    mapping = reader.parse_map(map_ or [])
    _run(lambda: reader.read(interactions, items, users, mapping), name, force, json_)


def _run(read: Callable[[], Source], name: str, force: bool, json_: bool) -> None:
    from sandbox.world.importers.importing import import_world

    built = datetime.now(UTC).isoformat(timespec="seconds")
    with progress(json_) as show:
        done = import_world(read, name, built=built, force=force,
                            progress=lambda share, what: show(what, share))  # fmt: skip
    emit(done.as_json(), lambda: _print(done), json_)


def _print(done: Imported) -> None:
    manifest, fit = done.manifest, done.manifest.fit
    out.print(
        f"[bold]{manifest.name}[/]: {manifest.users:,} users, {manifest.items:,} items, "
        f"{manifest.impressions:,} impressions, {manifest.events:,} outcomes"
    )
    if "auc" in fit:
        table = Table("held-out interactions", "fitted", "popularity")
        table.add_row("AUC", f"{fit['auc']:.3f}", f"{fit['auc_popularity']:.3f}")
        table.add_row("log-loss", f"{fit['log_loss']:.3f}", f"{fit['log_loss_popularity']:.3f}")
        table.add_row("calibration slope (1 is right)", f"{fit['calibration_slope']:.2f}", "")
        out.print(table)
    for reason, count in sorted(done.skipped.items()):
        err.print(f"[yellow]skipped[/] {count:,} rows: {reason}")
    for note in done.notes:
        err.print(f"[yellow]note[/] {escape(note)}")
    out.print(f"[dim]filled in (see docs/worlds.md): {', '.join(done.filled)}[/]")
    out.print(f"next: sandbox up --world {manifest.name}")
