"""`sandbox load knee`: the largest rate that holds an SLO."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, err, out, progress


def knee(
    slo: Annotated[str, typer.Option(help="What must hold, as p99<150ms, in quotes.")] = "p99<150ms",
    start: Annotated[float, typer.Option(help="Requests per wall second to try first.")] = 10.0,
    lowest: Annotated[float, typer.Option(help="Lowest rate to try.")] = 1.0,
    highest: Annotated[float, typer.Option(help="Highest rate to try.")] = 500.0,
    seconds: Annotated[float, typer.Option(help="Wall seconds of each trial.")] = 15.0,
    repeats: Annotated[int, typer.Option(help="Further trials on each side of the knee.")] = 2,
    shape: Annotated[str, typer.Option(help="Arrivals of each trial: poisson or constant.")] = "poisson",
    seed: Annotated[int, typer.Option(help="Seed of the first trial; each has its own.")] = 1,
    k: Annotated[int, typer.Option(help="Items in a slate.")] = 10,
    out_: Annotated[Path | None, typer.Option("--out", help="Where reports go; default RUN/load.")] = None,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Search the largest rate that holds an SLO, by trials, with an interval and the scalability law drawn.

    Ctrl-C ends the search and keeps its trials. Exit code 1 when no rate in range holds it.
    """
    from loadtest.lab.knee import Search
    from loadtest.lab.knee_run import search, told
    from loadtest.lab.measure import measure
    from loadtest.lab.plan import Plan
    from loadtest.lab.slo import Slo
    from sandbox.base.clock import iso
    from sandbox.base.errors import SandboxError
    from sandbox.runtime.rundir import disk_error
    from sandbox.runtime.stack import Stack

    wanted, rates = Slo.of(slo), Search(start, lowest, highest, repeats=repeats)
    if shape not in ("poisson", "constant"):
        raise SandboxError(
            "CFG-004", where="load knee --shape", seen=shape, expected="poisson or constant",
            fix="a knee is a rate; shapes whose rate changes have none",
        )  # fmt: skip
    first = Plan(shape, start, seconds, seed)
    stack = Stack.attach(run_dir)
    stack.require_up()
    when = iso(stack.run.clock().now())
    with progress(json_) as say:
        found = search(
            lambda plan, tell: measure(stack.run, plan, slate_size=k, progress=tell), wanted, first, rates, say
        )
    document = told(found, wanted, seed)
    if found.stopped:
        err.print(f"ended before it was done: {found.stopped}; kept {len(found.trials)} trials")
    try:
        document["report"] = _save(document, out_ or stack.run_dir / "load", f"{stack.run_dir} · {when}")
    except OSError as error:
        emit(document | {"report": None}, partial(_show, document | {"report": None}), json_)
        raise disk_error(out_ or stack.run_dir / "load", error) from error
    emit(document, partial(_show, document), json_)
    if found.stopped == "interrupted":
        raise typer.Exit(130)
    if document["rate"] is None:
        raise typer.Exit(1)


def _save(document: dict[str, Any], parent: Path, subtitle: str) -> str:
    import json

    from loadtest.lab.report.of_knee import report
    from loadtest.lab.saved import fresh
    from sandbox.base.run import write_atomically

    place = fresh(parent, "knee")
    write_atomically(place / "knee.json", json.dumps(document))
    write_atomically(place / "report.html", report(document, subtitle))
    return str(place / "report.html")


def _show(d: dict[str, Any]) -> None:
    table = Table("requests/s", "percentile, ms", "holds", "answered/s", "in flight", "generator late, ms")
    for p in d["points"]:
        value = "–" if p["value_ms"] is None else f"{p['value_ms']:.1f}"
        table.add_row(
            f"{p['rate']:.1f}", value, "yes" if p["holds"] else "no", f"{p['ok_per_s']:.1f}", f"{p['in_flight']:.2f}",
            f"{p['late_ms']:.1f}",
        )  # fmt: skip
    out.print(table)
    out.print(d["said"], markup=False)
    if d["usl"]:
        out.print(f"scalability: {d['usl']['said']}", markup=False)
    said = d["saturated"]
    out.print(f"saturated: {said['resource'] or 'nothing'}: {said['evidence']}", markup=False)
    for note in d["notes"]:
        out.print(note, markup=False)
    if d["report"]:
        out.print(f"report: {d['report']}", soft_wrap=True, markup=False)
