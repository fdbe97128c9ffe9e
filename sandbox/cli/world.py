"""`sandbox world`: build, list, look at and check worlds; bring in real data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sandbox.cli.options import Json
from sandbox.cli.output import emit, out, progress
from sandbox.cli.world_import import app as import_app

if TYPE_CHECKING:
    from sandbox.world.check import Check
    from sandbox.world.summary import Summary

app = typer.Typer(help="Worlds: users, items, and a history of what they did.", no_args_is_help=True)
app.add_typer(import_app, name="import")

Name = Annotated[str, typer.Argument(help="Name of the world.")]


@app.command()
def build(
    name: Name,
    preset: Annotated[str | None, typer.Option(help="tiny, laptop or large; default the preset of that name.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the world; default the preset's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a world of that name.")] = False,
    json_: Json = False,
) -> None:
    """Build a world from a preset. One that is there and up to date is left alone."""
    from sandbox.world.files import build_world

    with progress(json_) as show:
        manifest = build_world(name, preset=preset, seed=seed, force=force, progress=show)
    emit(manifest.model_dump(), lambda: out.print(_line(manifest.model_dump())), json_)


@app.command("list")
def list_worlds(json_: Json = False) -> None:
    """The worlds on this machine."""
    from sandbox.world.files import worlds

    rows: list[dict[str, Any]] = [
        {
            "name": m.name, "users": m.users, "items": m.items, "events": m.events, "built": m.built,
            "source": m.source, "impressions": m.impressions,
        }
        for m in worlds()
    ]  # fmt: skip

    def human() -> None:
        if not rows:
            return out.print("no worlds yet; build one: sandbox world build laptop")
        table = Table("world", "source", "users", "items", "impressions", "events", "built")
        for row in rows:
            counts = (f"{row[key]:,}" for key in ("users", "items", "impressions", "events"))
            table.add_row(row["name"], row["source"], *counts, row["built"][:16])
        out.print(table)

    emit(rows, human, json_)


@app.command()
def check(name: Name, json_: Json = False) -> None:
    """Measure a world against the bands that its kind must keep; exit code 1 where it doesn't."""
    from sandbox.world.check import check as run_checks

    with progress(json_) as show:
        show(f"checking {name}", None)
        checks = run_checks(name)
    emit([c.as_json() for c in checks], lambda: _print_checks(checks), json_)
    if not all(c.ok for c in checks):
        raise typer.Exit(1)


@app.command()
def show(name: Name, json_: Json = False) -> None:
    """A world at a glance: its size, who clicks on what, when and where."""
    from sandbox.world.summary import summarise

    summary = summarise(name)
    emit(summary.as_json(), lambda: _print_summary(summary), json_)


def _line(manifest: dict[str, Any]) -> str:
    return (
        f"[bold]{manifest['name']}[/]: {manifest['users']:,} users, {manifest['items']:,} items, "
        f"{manifest['impressions']:,} impressions, {manifest['events']:,} outcomes"
    )


def _print_checks(checks: list[Check]) -> None:
    table = Table("check", "value", "low", "high", "")
    for c in checks:
        verdict = "[green]ok[/]" if c.ok else "[red]outside[/]"
        table.add_row(c.check, f"{c.value:.4g}", f"{c.low:g}", f"{c.high:g}", verdict)
    out.print(table)


def _print_summary(summary: Summary) -> None:
    out.print(_line(summary.manifest))
    out.print(f"history {summary.history_from} to {summary.history_to}, source {summary.manifest['source']}")
    for title, bars, unit in (
        ("share of clicks by tenth of items, most clicked first", summary.clicks_by_item_tenth, "%"),
        ("click rate by position", summary.ctr_by_position, "%"),
        ("click rate by hour of the day (UTC)", summary.ctr_by_hour, "%"),
        ("sessions by local hour", summary.sessions_by_hour, "%"),
        ("items by topic", summary.items_by_topic, "%"),
        ("users by region", summary.users_by_region, "%"),
    ):
        out.print(f"\n[bold]{title}[/]")
        top = max(bars.values(), default=0.0) or 1.0
        width = max((len(label) for label in bars), default=1)
        for label, value in bars.items():
            bar = "█" * round(36 * value / top)
            out.print(f"  {label:>{width}} {bar:<36} {100 * value:5.1f} {unit}", markup=False)
    out.print("\n[bold]outcomes[/]")
    for kind, count in summary.outcomes.items():
        out.print(f"  {kind:<12} {count:>10,}")
