"""`sandbox world import`: anybody's log becomes a world."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json
from sandbox.cli.output import emit, err, out, progress

if TYPE_CHECKING:
    from sandbox.world.importers.importing import Imported
    from sandbox.world.importers.source import Source

app = typer.Typer(help="Turn real data into a world that answers to slates nobody was shown.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder as the publisher ships it, unpacked.")]
Name = Annotated[str, typer.Option("--name", help="Name of the world.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a world of that name.")]


@app.command()
def movielens(folder: Folder, name: Name = "movielens", force: Force = False, json_: Json = False) -> None:
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
    interactions: Annotated[
        Path, typer.Option(help="The log: a row per interaction. Text, JSON or Parquet; ARCHIVE.zip/MEMBER.")
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the world.")],
    items: Annotated[Path | None, typer.Option(help="A row per item.")] = None,
    users: Annotated[Path | None, typer.Option(help="A row per user.")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="ROLE=COLUMN: user, item, time, value, click, shown (lists), or an attribute."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="A column of the log that is not used, whatever it is called.")
    ] = None,
    zero: Annotated[
        str, typer.Option(help="What a value of 0 is: rating, none (no value), or auto: told by the rest.")
    ] = "auto",
    keep_null_words: Annotated[
        bool, typer.Option("--keep-null-words", help="Keys such as NULL, nan or NA are keys, not missing.")
    ] = False,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Any log: form, delimiter, quoting, encoding and form of time are recognised."""
    from sandbox.world.importers import table as reader

    mapping = reader.parse_map(map_ or [])
    options = reader.Options(keep_null_words, _zero(zero), tuple(ignore or ()))
    _run(lambda: reader.read(interactions, items, users, mapping, options=options), name, force, json_)


def _zero(word: str) -> str:
    if word not in ("auto", "rating", "none"):
        raise SandboxError(
            "CFG-004",
            where="--zero",
            seen=word,
            expected="rating, none or auto",
            fix="write --zero none where 0 stands for no rating",
        )
    return "" if word == "auto" else word


def _run(read: Callable[[], Source], name: str, force: bool, json_: bool) -> None:
    from sandbox.world.importers.importing import import_world

    built = datetime.now(UTC).isoformat(timespec="seconds")
    with progress(json_) as show:
        done = import_world(read, name, built=built, force=force, progress=show)
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
    _print_rows(done)
    for note in done.notes:
        err.print(f"[yellow]note[/] {escape(note)}")
    gaps = ", ".join(f"{what} ({count:,})" for what, count in done.filled.items())
    out.print(f"[dim]filled in (see docs/worlds.md): {escape(gaps)}[/]")
    out.print(f"next: sandbox up --world {manifest.name}")


def _print_rows(done: Imported) -> None:
    """What became of every row and of every column."""
    from sandbox.world.importers.source import NOT_MAPPED

    source = done.source
    plain: dict[str, list[str]] = {}
    for use in source.columns:
        if not use.role and use.note == NOT_MAPPED:
            plain.setdefault(use.file, []).append(use.column)
            continue
        what = f"[bold]{use.role}[/]" if use.role else "[dim]not used[/]"
        note = f": {escape(use.note)}" if use.note else ""
        err.print(f"{escape(use.file)}, {escape(use.column)} → {what}{note}")
    for file, columns in plain.items():
        err.print(f"{escape(file)} → [dim]not used[/]: {escape(', '.join(columns))}")
    out.print(
        f"{source.rows:,} rows read: {len(source.log):,} interactions, "
        f"{sum(done.skipped.values()):,} skipped; from {done.period[0][:16]} to {done.period[1][:16]}"
    )
    lists = {"": done.skipped, **{f" of {k}": v for k, v in source.skipped_entities.items()}}
    for file, skipped in lists.items():
        for reason, count in sorted(skipped.items()):
            err.print(f"[yellow]skipped[/] {count:,} rows{file}: {reason}")
