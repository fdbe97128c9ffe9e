"""`sandbox pipeline`: from raw events to a training set and a model, stage by stage; what each run did."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base import worlds
from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, require_writable
from sandbox.cli.output import emit, out, progress

if TYPE_CHECKING:
    from sandbox.base.progress import ProgressFn
    from sandbox.pipeline.stages.book import Run
    from sandbox.pipeline.stages.engine import Engine

app = typer.Typer(help="The offline pipeline: run, status, show, resume.", no_args_is_help=True, add_completion=False)

World = Annotated[str, typer.Option("--world", "-w", help="World whose history is meant.")]
SHOWN_RUNS = 20


@app.command()
def run(
    world: World = "laptop",
    until: Annotated[
        str | None, typer.Option(help="Last stage; default all. `sandbox pipeline show` names them.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Settings, YAML or JSON; docs/pipeline.md lists them.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything that is drawn; default the settings'.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="World time, as 2026-03-01T10:00:00Z: what was known later counts for nothing.")
    ] = None,
    bypass: Annotated[
        list[str] | None,
        typer.Option(help="CHECK=REASON: lets a run go on where it fails; a change record tells of it."),
    ] = None,
    served: Annotated[
        Path | None,
        typer.Option(
            help="Run directory of a stack of this world, or latest: what it served is compared with what is recomputed."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Run the pipeline over a world's history. What an earlier run made of the same inputs is not made again.

    A check that fails stops it: exit code 1, and `blocked_by` says which and why.
    """
    from sandbox.pipeline.stages.settings import PipelineConfig, read_config

    wanted = read_config(config) if config else PipelineConfig()
    changes = {"seed": seed, "as_of": None if as_of is None else _seconds(as_of)}
    wanted = wanted.model_copy(update={name: value for name, value in changes.items() if value is not None})
    reasons = dict(_reason(one) for one in bypass or [])
    with progress(json_) as show_progress:
        engine = _engine(world, show_progress)
        if served is not None:
            engine.sources = engine.sources.handing_in(served=_served(served, world))
        done = engine.run(wanted, until=until, bypass=reasons)
    _answer(done, json_)


@app.command()
def resume(
    run_: Annotated[str | None, typer.Argument(metavar="RUN", help="Run, such as p-3; default the latest.")] = None,
    world: World = "laptop",
    json_: Json = False,
) -> None:
    """Go on with a run that was killed, failed or stopped by a check: what it had made is not made again."""
    with progress(json_) as show_progress:
        engine = _engine(world, show_progress)
        done = engine.resume(run_ or _latest(engine).run)
    _answer(done, json_)


@app.command()
def status(
    run_: Annotated[str | None, typer.Argument(metavar="RUN", help="Run; default a list of the latest.")] = None,
    world: World = "laptop",
    json_: Json = False,
) -> None:
    """The runs of a world's pipeline; with RUN its stages, drops and checks."""
    engine = _engine(world)
    if run_ is not None:
        one = engine.book.read(run_)
        document = {**_document(one), **_headline(engine, one), "checks": [found.model_dump() for found in one.checks]}
        return emit(document, lambda: _tell(one, _headline(engine, one)["status"]), json_)
    rows = [_headline(engine, one) for one in engine.book.all()[-SHOWN_RUNS:]]
    return emit(rows, lambda: _list(rows, world), json_)


@app.command()
def show(
    run_: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Run whose counts stand in it; default the latest.")
    ] = None,
    world: World = "laptop",
    svg: Annotated[Path | None, typer.Option(help="Write a picture to this file.svg.")] = None,
    json_: Json = False,
) -> None:
    """The graph of stages, with rows in and out and why rows were dropped: Mermaid on the terminal, or a picture."""
    from sandbox.pipeline.stages import graph
    from sandbox.pipeline.stages.plan import STAGES

    engine = _engine(world)
    runs = engine.book.all()
    one = engine.book.read(run_) if run_ else runs[-1] if runs else None
    text = graph.mermaid(STAGES, one)
    if svg is not None:
        require_writable(svg, "--svg", ".svg")
        svg.write_text(graph.svg(STAGES, one))
    stages = [{"stage": s.name, "what": s.what, "reads": s.reads, "writes": s.writes} for s in STAGES]
    document = {"run": one.run if one else None, "stages": stages, "mermaid": text}

    def human() -> None:
        out.print(f"written to {svg}" if svg else text, markup=False, end="\n" if svg else "")

    emit(document, human, json_)


def _engine(world: str, show_progress: ProgressFn | None = None) -> Engine:
    from sandbox.base.progress import quiet
    from sandbox.pipeline.stages import check
    from sandbox.pipeline.stages.engine import Engine
    from sandbox.pipeline.stages.plan import STAGES
    from sandbox.pipeline.stages.sources import of_world

    worlds.load_manifest(world)  # says which worlds there are when this one is not
    sources = of_world(worlds.world_dir(world))
    return Engine(sources, STAGES, check.standard(), time.time, time.perf_counter, show_progress or quiet)


def _served(run_dir: Path, world: str) -> tuple[Path, ...]:
    """Files of what a stack logged of the features that it served. Of one that goes on they may be merged meanwhile:
    then PIPE-002 follows."""
    from sandbox.base.run import RunInfo, latest_run
    from sandbox.telemetry.manifest import read_manifest

    run_ = RunInfo.load(latest_run() if str(run_dir) == "latest" else run_dir)
    if run_.world != world:
        raise SandboxError(
            "CFG-004", where="--served", seen=f"a stack of world {run_.world}", expected=f"one of world {world}",
            fix=f"name another run, or run the pipeline of that world: --world {run_.world}",
        )  # fmt: skip
    try:
        return tuple(run_.lake / segment.file for segment in read_manifest(run_.lake).get("served_features") or [])
    except (FileNotFoundError, ValueError):
        return ()  # it has logged nothing yet


def _answer(done: Run, json_: bool) -> None:
    emit(_document(done), lambda: _tell(done, done.status), json_)
    if done.status == "blocked":
        raise typer.Exit(1)


def _document(one: Run) -> dict[str, Any]:
    keys = ("stage", "rows_in", "rows_out", "dropped", "inputs", "cached", "seconds")
    return {
        "run": one.run,
        "stages": [{key: getattr(stage, key) for key in keys} for stage in one.stages],
        "blocked_by": one.blocked_by.model_dump() if one.blocked_by else None,
    }


def _headline(engine: Engine, one: Run) -> dict[str, Any]:
    """status killed: its document says that it runs, and no process does."""
    killed = one.status == "running" and not engine.book.is_alive(one.run)
    return {
        "run": one.run,
        "status": "killed" if killed else one.status,
        "until": one.until,
        "stages_done": len(one.stages),
        "started": one.started,
        "finished": one.finished,
        "as_of": one.as_of,
        "blocked_by": one.blocked_by.model_dump() if one.blocked_by else None,
        "error": one.error,
    }


def _latest(engine: Engine) -> Run:
    runs = engine.book.all()
    if not runs:
        raise SandboxError(
            "PIPE-001",
            where=f"pipeline of world {engine.sources.world}",
            seen="no runs",
            expected="a run to go on with",
            fix="begin one: sandbox pipeline run",
        )
    return runs[-1]


def _tell(one: Run, status_: str) -> None:
    table = Table(title=f"{one.run} of {one.world}, {status_}", box=None, title_justify="left")
    for name in ("stage", "rows in", "rows out", "dropped", "s", ""):
        table.add_column(name, justify="left" if name in ("stage", "dropped", "") else "right")
    for stage in one.stages:
        dropped = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in stage.dropped.items())
        seconds = f"{stage.seconds:.2f}"
        table.add_row(
            stage.stage, f"{stage.rows_in:,}", f"{stage.rows_out:,}", dropped, seconds, "kept" if stage.cached else ""
        )
    out.print(table)
    for found in one.checks:
        if found.verdict in ("fail", "no action"):
            let = " (bypassed)" if found.bypassed else "" if found.blocking else " (warning)"
            out.print(f"{found.verdict}{let}  {found.check}: {escape(found.reason)}", soft_wrap=True)
    if one.blocked_by:
        said = f"stopped by {one.blocked_by.check} after {one.blocked_by.stage}: {one.blocked_by.reason}"
        out.print(f"[bold red]{escape(said)}[/]", soft_wrap=True)
        out.print(
            f"let it go on, and say why: sandbox pipeline run --world {one.world} --bypass {one.blocked_by.check}=REASON"
        )


def _list(rows: list[dict[str, Any]], world: str) -> None:
    if not rows:
        return out.print(f"no runs yet; begin one: sandbox pipeline run --world {world}")
    table = Table("run", "status", "stages", "until", "started (UTC)", "took", "stopped by", box=None)
    for row in rows:
        took = "" if row["finished"] is None else f"{row['finished'] - row['started']:.1f} s"
        stopped = (row["blocked_by"] or {}).get("check") or (row["error"] or {}).get("code") or ""
        began = datetime.fromtimestamp(row["started"], UTC).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(row["run"], row["status"], str(row["stages_done"]), row["until"], began, took, stopped)
    return out.print(table)


def _reason(text: str) -> tuple[str, str]:
    name, _, reason = text.partition("=")
    if not reason.strip():
        raise SandboxError(
            "CFG-004",
            where="--bypass",
            seen=text,
            expected="CHECK=REASON",
            fix="say why it may fail: it stays on record",
        )
    return name, reason.strip()


def _seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SandboxError(
            "CFG-004", where="--as-of", seen=text, expected="a time as 2026-03-01T10:00:00Z", fix="write it so"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
