"""`sandbox simulate`: weeks of a world under the recommender, with arms to compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json
from sandbox.cli.output import emit, out, progress

_BARS = "▁▂▃▄▅▆▇█"
_RETRAIN = {"both": ("two_tower", "ranker"), "two_tower": ("two_tower",), "ranker": ("ranker",)}


def simulate(
    days: Annotated[int, typer.Option(help="Days to live through, 1 to 366.")] = 28,
    users: Annotated[int, typer.Option(help="Users who take part; 0 for all of the world.")] = 0,
    world: Annotated[str, typer.Option("--world", "-w", help="World to live in.")] = "laptop",
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME, or NAME:key=value,... with settings such as rules.explore_share=0.1; repeat "
            "it for each arm. One alone is compared with `control`."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of who takes part, in which arm, with what luck.")] = 1,
    out_: Annotated[
        Path | None, typer.Option("--out", help="New directory for all that was shown, and the models.")
    ] = None,
    separate: Annotated[bool, typer.Option(help="Everybody lives in every arm, each in a world of its own.")] = False,
    retrain_days: Annotated[int, typer.Option(help="Days between two trainings; 0 for none.")] = 7,
    retrain: Annotated[str, typer.Option(help="What is trained: both, ranker or two_tower.")] = "both",
    births: Annotated[float, typer.Option(help="Share of the catalogue that comes out during these days.")] = 0.05,
    jobs_every_h: Annotated[int, typer.Option(help="Hours between two runs of the job that writes features.")] = 4,
    processes: Annotated[
        int, typer.Option(min=0, max=64, help="Processes beside this one; they change no figure.")
    ] = 2,
    json_: Json = False,
) -> None:
    """Let a world's users live for weeks: visits, clicks, late conversions, retraining, new items."""
    from sandbox.pipeline.build import ensure_models  # torch: see sandbox.cli.model
    from sandbox.virtual.weeks.arms import parse_arms
    from sandbox.virtual.weeks.plan import Plan
    from sandbox.virtual.weeks.run import run
    from sandbox.world.files import ensure

    if retrain not in _RETRAIN:
        raise SandboxError(
            "CFG-004",
            where="sandbox simulate --retrain",
            seen=retrain,
            expected=f"one of {list(_RETRAIN)}",
            fix="name one of them; --retrain-days 0 for none",
        )
    arms = parse_arms(arm or ())
    with progress(json_) as say:
        directory = ensure(world, say)
        everybody = _n_users(world)
        plan = Plan(
            world, days, users or everybody, arms, seed, retrain_days, _RETRAIN[retrain], births, jobs_every_h, separate
        )
        ensure_models(directory, say)
        document = run(plan, directory, out=out_, processes=processes, progress=say)
    emit(document, lambda: _tell(document, out_), json_)


def _n_users(world: str) -> int:
    from sandbox.base.worlds import load_manifest

    return load_manifest(world).users


def _tell(document: dict[str, Any], kept: Path | None) -> None:
    out.print(
        f"[bold]{document['world']}[/]: {document['days']} days, {document['users']:,} users, "
        f"{document['design']}; {document['births']['published']} items came out, "
        f"trained {len(document['retrains'])} times"
    )
    names = [arm["name"] for arm in document["arms"]]
    table = Table("total", *names, box=None)
    for label, key, form in (
        ("users", None, "{:,}"), ("active users", "active_users", "{:,}"), ("visits", "sessions", "{:,}"),
        ("requests", "requests", "{:,}"), ("impressions", "impressions", "{:,}"),
        ("clicks", "clicks", "{:,}"), ("click rate", "ctr", "{:.4f}"),
        ("conversions", "conversions", "{:,}"), ("  still to come", "conversions_to_come", "{:,}"),
        ("revenue", "revenue", "{:,.0f}"), ("satisfaction", "satisfaction", "{:.3f}"),
        ("users lost", "lost_users", "{:,.0f}"),
    ):  # fmt: skip
        values = [arm["users"] if key is None else arm["total"][key] for arm in document["arms"]]
        table.add_row(label, *("" if v is None else form.format(v) for v in values))
    out.print(table)
    out.print("\n[bold]day by day[/], each scaled to its own range")
    for label, key in (
        ("click rate", "ctr"), ("satisfaction", "satisfaction"), ("visits", "sessions"),
        ("conversions that matured", "conversions_by_maturity_day"), ("coverage", "coverage"),
        ("share of the top 1 %", "top_1pct_share"), ("share of group B", "group_b_share"),
    ):  # fmt: skip
        days = [[row[key] for row in arm["days"]] for arm in document["arms"]]
        known = [v for of in days for v in of if v is not None]
        low, high = min(known, default=0.0), max(known, default=0.0)
        for name, of in zip(names, days, strict=True):
            out.print(f"  {label:<25} {name:<14} {_line(of, low, high)}  {low:.4g} to {high:.4g}", markup=False)
            label = ""
    for pair in document["against"]:
        _tell_difference(pair)
    if kept is not None:
        out.print(f"\nkept in {kept}")


def _tell_difference(pair: dict[str, Any]) -> None:
    table = Table(
        "metric", pair["base"], pair["arm"], "difference", "95 % interval", box=None,
        title=f"\n{pair['arm']} less {pair['base']}", title_justify="left",
    )  # fmt: skip
    for name, row in pair["metrics"].items():
        if row["difference"] is None or row["low"] is None:
            continue
        sure = "bold" if row["low"] > 0 or row["high"] < 0 else ""
        table.add_row(
            name, f"{row['base']:.4g}", f"{row['other']:.4g}", f"{row['difference']:+.4g}",
            f"{row['low']:+.4g} to {row['high']:+.4g}", style=sure,
        )  # fmt: skip
    out.print(table)


def _line(values: list[float | None], low: float, high: float) -> str:
    """One bar per value; a blank where there is none."""
    span = (high - low) or 1.0
    return "".join(" " if v is None else _BARS[min(int((v - low) / span * len(_BARS)), len(_BARS) - 1)] for v in values)
