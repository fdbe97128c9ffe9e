"""`sandbox capacity`: what it takes to serve many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.cli.options import Json
from sandbox.cli.output import emit, out


def capacity(
    target: Annotated[
        str, typer.Option(help="A rate at the peak, as 50M/h or 200/s, or 277M-dau, 500M-dau-50M-h, 2B-mau.")
    ],
    report: Annotated[
        Path | None, typer.Option(help="A report of `sandbox load run` to take costs from; default those that ship.")
    ] = None,
    fit: Annotated[
        Path | None, typer.Option(help="CSV with columns n (size) and x (throughput): how sizes contend.")
    ] = None,
    busy: Annotated[float, typer.Option(help="Share of its core that a replica may use at the peak.")] = 0.6,
    spare: Annotated[float, typer.Option(help="Further share of replicas, for releases and losses.")] = 0.25,
    core_hour: Annotated[float, typer.Option(help="Price of a core and hour.")] = 0.04,
    gb_hour: Annotated[float, typer.Option(help="Price of a GB of memory and hour.")] = 0.005,
    json_: Json = False,
) -> None:
    """Replicas, cores, memory and money for a rate, from what a request costs, with all assumptions."""
    from loadtest.lab import usl
    from loadtest.lab.capacity import Terms
    from loadtest.lab.capacity import capacity as planned
    from loadtest.lab.capacity import target as wanted
    from loadtest.lab.costs import cost
    from loadtest.lab.measurements import read_csv

    aim = wanted(target)
    terms = Terms(busy, spare, core_hour, gb_hour, None if fit is None else usl.fit(*read_csv(fit)).law)
    plan = planned(aim, cost(report), terms)
    emit(plan, lambda: _show(plan), json_)


def _show(d: dict[str, Any]) -> None:
    table = Table("service", "replicas", box=None)
    for name, n in d["replicas"].items():
        table.add_row(name, f"{n:,}")
    out.print(f"{d['target']}: {d['rate_per_s']:,.0f} requests/s")
    out.print(table)
    out.print(
        f"{d['cores']:,} cores ({d['cores_low']:,} to {d['cores_high']:,}), {d['memory_bytes'] / 1e9:,.1f} GB of memory, "
        f"{d['redis_bytes'] / 1e9:,.1f} GB of it in Redis"
    )
    out.print(f"{d['cost_per_million']:.2f} per million requests ({d['low']:.2f} to {d['high']:.2f})")
    out.print("assumed:")
    for said in d["assumptions"]:
        out.print(f"· {said}", markup=False)
