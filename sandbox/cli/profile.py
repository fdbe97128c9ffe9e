"""`sandbox profile`: where the CPU of a loaded stack goes, process by process."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, out, progress


def profile(
    seconds: Annotated[
        float, typer.Option(help="Wall seconds that are sampled; then half as many for the lock.")
    ] = 15.0,
    rate: Annotated[
        float, typer.Option(help="Requests per wall second that are sent meanwhile; 0 where there is load already.")
    ] = 10.0,
    out_: Annotated[
        Path | None, typer.Option("--out", help="Where the flame graphs go; default SANDBOX_HOME/profiles.")
    ] = None,
    world: Annotated[str, typer.Option(help="Of the stack that is started where none is up.")] = "laptop",
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Sample every process of a loaded stack with py-spy: a flame graph of each, its CPU by thread, and how long it holds
    Python's lock.

    Takes the stack that is up, or one of its own. Needs leave to trace processes (root, or CAP_SYS_PTRACE).
    """
    from sandbox.base import paths
    from sandbox.bench.profile import measure
    from sandbox.cli.bench import on_a_stack
    from sandbox.runtime.stack import Stack

    up = run_dir or next((stack.run_dir for stack in Stack.running()), None)
    with progress(json_) as say, on_a_stack(world, up, say) as stack:
        stack.require_up()
        document = measure.measure(stack, seconds, rate, out_ or paths.home() / "profiles", say)
    emit(document, partial(_show, document), json_)


def _show(d: dict[str, Any]) -> None:
    table = Table("process", "cpu, share of a core", "its threads", "python runs", "holds the lock")
    for p in d["processes"]:
        threads = ", ".join(f"{name} {share:.2f}" for name, share in list(p["threads"].items())[:4])
        table.add_row(p["name"], f"{p['cpu_share']:.3f}", threads, f"{p['running_share']:.0%}", f"{p['gil_share']:.0%}")
    out.print(table)
    for p in d["processes"]:
        top = Table(p["name"], "runs", "holds the lock", box=None)
        for row in p["top"]:
            top.add_row(row["function"], f"{row['share']:.1%}", f"{row['gil_share']:.1%}")
        out.print(top)
    out.print(
        f"flame graphs: {d['out']}; the samplers themselves took {d['profiler_cpu_share']:g} of a core", soft_wrap=True
    )
