"""`sandbox load`: traffic by the world's users on a running stack."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.cli.load_fit import fit
from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, err, out, progress

app = typer.Typer(help="Traffic on a running stack.", no_args_is_help=True)


app.command("fit")(fit)


@app.callback()
def _group() -> None:
    """Traffic on a running stack."""


@app.command()
def run(
    rate: Annotated[float, typer.Option(help="Requests per wall second to aim at.")] = 20.0,
    duration: Annotated[float, typer.Option(help="Wall seconds.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Seed of who comes when.")] = 1,
    diurnal: Annotated[bool, typer.Option("--diurnal", help="Follow the hours of the day.")] = False,
    k: Annotated[int, typer.Option(help="Items in a slate.")] = 10,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Send traffic for a while and report latencies, errors and what users did.

    Exit code 1 when not one request was answered.
    """
    from loadtest.runner import Load
    from sandbox.runtime.stack import Stack

    stack = Stack.attach(run_dir)
    stack.require_up()
    load = Load(stack.run, rate=rate, seed=seed, diurnal=diurnal, duration_s=duration, slate_size=k)
    load.start()
    began = time.monotonic()
    try:
        with progress(json_) as say:
            while load.running:
                say(f"load: {rate:g} requests/s", min(1.0, (time.monotonic() - began) / duration))
                time.sleep(0.2)
    except KeyboardInterrupt:
        err.print("stopping the load")
        load.stop()
        raise
    summary = load.wait()
    emit(summary, lambda: _print(summary, duration), json_)
    if summary["requests"] and summary["failed"] == summary["requests"]:
        raise typer.Exit(1)


def _print(summary: dict[str, Any], duration: float) -> None:
    table = Table("latency, ms", "p50", "p90", "p95", "p99")
    for label, key in (("from the actual send", "latency_ms"), ("from the intended send", "corrected_ms")):
        values = summary[key] or {}
        table.add_row(label, *(f"{values.get(q, float('nan')):.1f}" for q in ("p50", "p90", "p95", "p99")))
    n = summary["requests"]
    out.print(f"{n} requests in {duration:g} s ({n / duration:.1f}/s), {summary['failed']} failed")
    out.print(table)
    if summary["ctr"] is not None:
        out.print(
            f"{summary['impressions']} impressions, {summary['clicks']} clicks, "
            f"CTR {summary['ctr']:.3f}, {summary['hides']} hides"
        )
