"""`sandbox capacity`: what it takes to serve many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json
from sandbox.cli.output import emit, number, out, progress

if TYPE_CHECKING:
    from loadtest.lab.capacity import Cost


def capacity(
    target: Annotated[
        str | None, typer.Option(help="A rate at the peak, as 50M/h or 200/s, or 277M-dau, 500M-dau-50M-h, 2B-mau.")
    ] = None,
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
    model_params: Annotated[float | None, typer.Option(help="Add a ranker of so many weights, as 110e6.")] = None,
    model_rows: Annotated[int, typer.Option(help="Candidates that it scores for a request.")] = 200,
    models: Annotated[
        bool, typer.Option("--models", help="Say what well-known models take, measured here where their size allows.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Try a part of it on the virtual backend, and say how far the plan is off.")
    ] = False,
    check_seconds: Annotated[float, typer.Option(help="Wall seconds of the stack's life that --check plays.")] = 30.0,
    world: Annotated[str, typer.Option("--world", "-w", help="World of --check.")] = "laptop",
    json_: Json = False,
) -> None:
    """Replicas, cores, memory and money for a rate, from what a request costs, with all assumptions."""
    from loadtest.lab import usl
    from loadtest.lab.capacity import Terms
    from loadtest.lab.capacity import capacity as planned
    from loadtest.lab.capacity import target as wanted
    from loadtest.lab.costs import cost
    from loadtest.lab.measurements import read_csv

    if models:
        from loadtest.lab.models import table

        rows = table()
        emit(rows, lambda: _show_models(rows), json_)
        return
    if target is None:
        raise SandboxError(
            "CFG-004", where="capacity --target", seen="nothing", expected="a rate, as 50M/h, or a target by name",
            fix="sandbox capacity --help",
        )  # fmt: skip
    aim = wanted(target)
    terms = Terms(busy, spare, core_hour, gb_hour, None if fit is None else usl.fit(*read_csv(fit)).law)
    if not 5 <= check_seconds <= 3_600:
        raise SandboxError(
            "CFG-004", where="capacity --check-seconds", seen=check_seconds, expected="5 to 3600", fix="correct it"
        )
    measured = costs = cost(report)
    if model_params is not None:
        costs, said = _with_model(measured, model_params, model_rows)
    plan = planned(aim, costs, terms)
    if model_params is not None:
        plan["assumptions"].append(said)
    if check:
        from functools import partial

        from loadtest.lab.scaled import check as checked
        from sandbox.virtual.calibration.played import played

        with progress(json_) as say:
            plan["checked"] = checked(aim, measured.cpu_ms(), terms, partial(played, world), check_seconds, say)
    emit(plan, lambda: _show(plan), json_)


def _with_model(costs: Cost, weights: float, rows: int) -> tuple[Cost, str]:
    """The cost of a request with a further ranker in it."""
    from loadtest.lab.models import ranker, speed

    added = ranker(weights, rows, speed(weights))
    cores = {**costs.cores, "model": costs.cores["model"] + costs.requests * added["cpu_ms"] / 1000}
    rss_mb = {**costs.rss_mb, "model": costs.rss_mb["model"] + added["bytes"] / 2**20}
    return replace(costs, cores=cores, rss_mb=rss_mb), str(added["said"])


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
    if "checked" in d:
        _show_check(d["checked"])


def _show_check(d: dict[str, Any]) -> None:
    table = Table(
        "service", "replicas", "use foretold", "use found", title="tried on the virtual backend", title_justify="left"
    )
    for name, use in d["utilisation"].items():
        if max(use.values()) < 0.005:
            continue
        table.add_row(name, str(d["replicas"].get(name, 1)), f"{use['foretold']:.0%}", f"{use['found']:.0%}")
    out.print(table)
    for said in d["said"]:
        out.print(f"· {said}", markup=False)


def _show_models(rows: list[dict[str, Any]]) -> None:
    table = Table("model", "weights, M", "operations, 1e9", "memory, GB", "ms, one core", "how", box=None)
    for r in rows:
        figures = (r["weights"] / 1e6, r["operations"] / 1e9, r["bytes"] / 1e9, r["latency_ms"])
        table.add_row(r["model"], *map(number, figures), "matrix of that size" if r["measured"] else "estimate")
    out.print(table)
    for r in rows:
        out.print(f"· {r['model']}, {r['unit']}: {r['source']}", markup=False)
