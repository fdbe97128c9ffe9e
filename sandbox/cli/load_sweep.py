"""`sandbox load sweep`: settings of the stack against each other, by cost, latency and quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, err, out, progress

if TYPE_CHECKING:
    from loadtest.lab.outcome import Run
    from loadtest.lab.plan import Plan
    from loadtest.lab.sweep import Point


def sweep(
    knob: Annotated[
        list[str],
        typer.Option(
            help="NAME=VALUE,VALUE: batch, wait, nprobe, candidates, deadline, ranking-deadline, replicas, breaker, retries, fetch, or "
            "SERVICE.FIELD of the configuration. Of several, all combinations."
        ),
    ],
    rate: Annotated[float, typer.Option(help="Requests per wall second.")] = 10.0,
    seconds: Annotated[
        float, typer.Option(help="Wall seconds of each trial; their first fifth does not count.")
    ] = 15.0,
    rounds: Annotated[int, typer.Option(help="Trials of each point, in turns with the others.")] = 3,
    percentile: Annotated[float, typer.Option(help="Of latency.")] = 99.0,
    seed: Annotated[int, typer.Option(help="Seed of the first round's arrivals.")] = 1,
    k: Annotated[int, typer.Option(help="Items in a slate.")] = 10,
    out_: Annotated[
        Path | None,
        typer.Option("--out", help="Where it is kept; one that is there goes on. Default a fresh one in RUN/load."),
    ] = None,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Try settings of the running stack against each other: quality by the world's truth over cost and latency.

    The stack as it is is one of the points. Each trial is kept as soon as it is made: Ctrl-C leaves them, and the same command
    with the same --out goes on. Afterwards the stack is as it was.
    """
    from loadtest.lab.plan import Plan
    from loadtest.lab.saved import fresh
    from loadtest.lab.slo import Slo
    from loadtest.lab.sweep import points
    from loadtest.lab.sweep_run import sweep as swept
    from sandbox.base.config import Config
    from sandbox.runtime.rundir import disk_error
    from sandbox.runtime.stack import Stack

    found, plan = points(knob), Plan("poisson", rate, seconds, seed)
    wanted = Slo.of(f"p{percentile:g}<1s")
    stack = Stack.attach(run_dir)
    stack.require_up()
    for point in found:
        point.patches(Config.load(stack.run_dir))
    place = out_ or fresh(stack.run_dir / "load", "sweep")
    place.mkdir(parents=True, exist_ok=True)
    with progress(json_) as say:
        document = swept(_measuring(stack, k), found, plan, rounds, wanted, place, say)
    if document["stopped"]:
        err.print(f"ended early, {document['stopped']}; goes on with --out {place}", markup=False)
    try:
        document["report"] = _page(document, place, str(stack.run_dir))
    except OSError as error:
        emit(document | {"report": None}, lambda: _show(document | {"report": None}), json_)
        raise disk_error(place, error) from error
    emit(document, lambda: _show(document), json_)
    if document["stopped"]:
        raise typer.Exit(130 if document["stopped"] == "interrupted" else 1)


def _measuring(stack: Any, k: int) -> Any:
    from loadtest.lab.measure import measure
    from loadtest.lab.sweep_run import set_to
    from loadtest.lab.truth import shown, worth
    from sandbox.runtime.operate.operations import Operations
    from sandbox.world.behaviour import Behaviour

    operations, behaviour = Operations(stack.run), Behaviour.load(Path(stack.run.world_dir))

    def measured(point: Point, plan: Plan) -> tuple[Run, float]:
        clock = stack.run.clock()
        with set_to(point, operations):
            began_ts = clock.now()
            run = measure(stack.run, plan, slate_size=k)
        return run, worth(behaviour, *shown(stack.run.lake, began_ts, clock.now()))

    return measured


def _page(document: dict[str, Any], place: Path, subtitle: str) -> str:
    from loadtest.lab.report.of_sweep import report
    from sandbox.base.run import write_atomically

    write_atomically(place / "report.html", report(document, subtitle))
    return str(place / "report.html")


def _show(d: dict[str, Any]) -> None:
    from loadtest.lab.report.of_sweep import HEAD, cells

    table = Table(*HEAD)
    for row in d["rows"]:
        table.add_row(*cells(row))
    out.print(table)
    if d["report"]:
        out.print(f"report: {d['report']}", soft_wrap=True, markup=False)
