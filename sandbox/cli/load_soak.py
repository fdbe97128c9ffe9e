"""`sandbox load soak`: a long load, and whether the processes that bear it grow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, err, out, progress


def soak(
    minutes: Annotated[float, typer.Option(help="Wall minutes; 30 tell a slope of some MB an hour.")] = 30.0,
    rate: Annotated[float, typer.Option(help="Requests per wall second; half of the knee is usual.")] = 8.0,
    seed: Annotated[int, typer.Option(help="Seed of who comes when.")] = 1,
    k: Annotated[int, typer.Option(help="Items in a slate.")] = 10,
    out_: Annotated[Path | None, typer.Option("--out", help="Where the report goes; default RUN/load.")] = None,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Load the stack for long at one rate: slopes of memory with intervals, and open files, process by process.

    The first quarter does not count. Ctrl-C ends it and keeps what was measured. Exit code 1 when something grows.
    """
    from loadtest.lab.measure import measure
    from loadtest.lab.outcome import document as figures
    from loadtest.lab.plan import Plan
    from loadtest.lab.slope import LEAST
    from loadtest.lab.soak import Watch
    from sandbox.runtime.rundir import disk_error
    from sandbox.runtime.stack import Stack

    if not 0.5 <= minutes <= 7 * 1_440:
        raise SandboxError(
            "CFG-004", where="load soak --minutes", seen=minutes, expected="half a minute to a week", fix="correct it"
        )
    plan = Plan("poisson", rate, minutes * 60, seed)
    stack = Stack.attach(run_dir)
    stack.require_up()
    watch = Watch(stack.run_dir, min(5.0, minutes * 60 / (3 * LEAST)))
    with progress(json_) as say:
        run = measure(stack.run, plan, slate_size=k, progress=say, meanwhile=watch.look)
    load = figures(run)
    processes = watch.document()
    kept = ("offered", "sent", "ok", "errors", "percentiles_ms", "feedback", "generator_lateness_p99_ms")
    document: dict[str, Any] = {
        "minutes": run.seconds / 60, "rate": rate, "interrupted": run.interrupted, "said": said(processes),
        "load": {name: load.get(name) for name in kept}, "processes": processes,
    }  # fmt: skip
    if run.interrupted:
        err.print("ended early; kept what was measured until then")
    place = out_ or stack.run_dir / "load"
    try:
        document["report"] = _save(document, watch.seen, place, str(stack.run_dir))
    except OSError as error:
        emit(document | {"report": None}, lambda: _show(document | {"report": None}), json_)
        raise disk_error(place, error) from error
    emit(document, lambda: _show(document), json_)
    if run.interrupted:
        raise typer.Exit(130)
    if any("grows" in (p["rss_mb"]["verdict"], p["files"]["verdict"]) for p in processes.values()):
        raise typer.Exit(1)


def said(processes: dict[str, Any]) -> str:
    """What grows, in one sentence."""
    growing = [
        f"{what} of {name}" for name, p in processes.items() for key, what in (("rss_mb", "memory"), ("files", "open files"))
        if p[key]["verdict"] == "grows"
    ]  # fmt: skip
    unsure = sum("unsure" in (p["rss_mb"]["verdict"], p["files"]["verdict"]) for p in processes.values())
    more = f"; of {unsure} processes more minutes would tell" if unsure else ""
    return f"grows: {', '.join(growing)}{more}" if growing else f"nothing is shown to grow{more}"


def _save(document: dict[str, Any], seen: Any, parent: Path, subtitle: str) -> str:
    import json

    from loadtest.lab.report.of_soak import report
    from loadtest.lab.saved import fresh
    from sandbox.base.run import write_atomically

    place = fresh(parent, "soak")
    write_atomically(place / "soak.json", json.dumps({**document, "samples": seen}))
    write_atomically(place / "report.html", report(document, seen, subtitle))
    return str(place / "report.html")


def _show(d: dict[str, Any]) -> None:
    from loadtest.lab.report.of_soak import HEAD, cells

    table = Table(*HEAD, box=None)
    for name, p in d["processes"].items():
        table.add_row(*cells(name, p))
    out.print(table)
    load = d["load"]
    p99 = (load["percentiles_ms"] or {}).get("99")
    out.print(
        f"{load['ok']} of {load['offered']} requests answered in {d['minutes']:.1f} minutes, p99 {p99 or 0:.0f} ms"
    )
    out.print(d["said"], markup=False)
    if d["report"]:
        out.print(f"report: {d['report']}", soft_wrap=True, markup=False)
