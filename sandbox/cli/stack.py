"""`sandbox up`, `down`, `status` and `doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.base.instances import process_of
from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, err, out, progress


def up(
    world: Annotated[str, typer.Option(help="World: a preset or an imported one.")] = "laptop",
    speed: Annotated[float, typer.Option(help="World seconds per wall second.")] = 60.0,
    run_dir: Annotated[Path | None, typer.Option(help="Run directory; default a fresh one.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the run's random draws.")] = 1,
    replicas: Annotated[
        list[str] | None, typer.Option(help="Instances of a service: model=2. May be given several times.")
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and take all down on Ctrl-C.")] = False,
    json_: Json = False,
) -> None:
    """Start every service of the recommender, with the versions that are live in the world's registry, and return
    when all are ready."""
    from sandbox.base.stages import first_config
    from sandbox.base.worlds import world_dir
    from sandbox.runtime.stack import Stack

    config = first_config(world_dir(world) / "registry").with_replicas(_replicas(replicas or []))
    with progress(json_) as say:
        stack = Stack.up(world, speed=speed, run_dir=run_dir, seed=seed, config=config, progress=say)
    try:
        document = stack.status()
        emit(document, lambda: _show(document), json_)
        if foreground:
            err.print("running; Ctrl-C takes it down")
            stack.wait_until_down()
    finally:
        if foreground:
            stack.down()


def _replicas(given: list[str]) -> dict[str, int]:
    """Raises CFG-001 for what is no service=number, or given twice."""
    wanted: dict[str, int] = {}
    for text in given:
        service, _, n = text.partition("=")
        if not n.isdecimal() or service in wanted:
            raise SandboxError(
                "CFG-001",
                where="--replicas",
                seen=text,
                expected="SERVICE=NUMBER, each service once",
                fix="for example --replicas model=2",
            )
        wanted[service] = int(n)
    return wanted


def status(run_dir: RunDir = None, json_: Json = False) -> None:
    """What runs, and how it is. Exit code 1 when something is not ready."""
    from sandbox.runtime.stack import Stack

    document = Stack.attach(run_dir).status()
    emit(document, lambda: _show(document), json_)
    if not document["ready"]:
        raise typer.Exit(1)


def down(run_dir: RunDir = None, json_: Json = False) -> None:
    """Take a stack down, of several the latest. What it recorded stays in the run directory."""
    from sandbox.runtime.stack import Stack

    up = [other.run_dir for other in Stack.running()]
    stack = Stack.attach(run_dir or next(iter(up), None))
    with progress(json_) as say:
        say("stopping, callers first", None)
        stopped = stack.down()
    others = [str(path) for path in up if path != stack.run_dir]
    document = {"run_dir": str(stack.run_dir), "stopped": stopped, "still_up": others}
    text = f"stopped {len(stopped)} processes" if stopped else "nothing was running"
    lines = [f"{text}; telemetry and logs stay in {stack.run_dir}"]
    lines += [f"still up: sandbox down --run-dir {path}" for path in others]
    emit(document, lambda: out.print("\n".join(lines), markup=False), json_)


def doctor(json_: Json = False) -> None:
    """Say what is missing on this machine, and what to do. Exit code 1 when something needed is."""
    from sandbox.runtime.local.doctor import examine

    findings = examine()
    emit([f.as_json() for f in findings], lambda: _show_findings(findings), json_)
    if any(f.needed and not f.ok for f in findings):
        raise typer.Exit(1)


def _show(document: dict[str, Any]) -> None:
    ready = "[green]ready[/]" if document["ready"] else "[red]not ready[/]"
    out.print(f"{ready}: world {document['world']}, world time {document['world_time']}")
    table = Table("process", "state", "pid", "address", "memory", "restarts")
    for row in document["services"]:
        mark = f"[green]{row['state']}[/]" if row["healthy"] else f"[red]{row['state']}[/]"
        memory = f"{row['rss_bytes'] / 2**20:.0f} MiB" if row["rss_bytes"] else "-"
        address = row["address"] if ":" in row["address"] else Path(row["address"]).name
        pid = str(row["pid"] or "-")
        table.add_row(
            process_of(row["instance"]),
            mark,
            pid,
            address,
            memory,
            "-" if row["restarts"] is None else str(row["restarts"]),
        )
    out.print(table)
    out.print(f"run directory {document['run_dir']}", soft_wrap=True)


def _show_findings(findings: list[Any]) -> None:
    for f in findings:
        mark = "[green]ok[/]     " if f.ok else "[red]missing[/]" if f.needed else "[yellow]absent[/] "
        out.print(f"{mark} {f.check}: {f.seen}", soft_wrap=True)
        if not f.ok:
            out.print(f"        -> {f.fix}", soft_wrap=True)
