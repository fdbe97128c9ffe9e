"""`sandbox drill`: list, start, steer and close drills."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from sandbox.base.errors import SandboxError
from sandbox.cli.drill_room import require_room
from sandbox.cli.drill_trainee import Twin, attach, debrief, hint, open_shell, report, status
from sandbox.cli.options import Json, Pack
from sandbox.cli.output import emit, err, out, progress


class Backend(StrEnum):
    """Where a drill runs."""

    live = "live"
    virtual = "virtual"


app = typer.Typer(help="Be paged, find out, act, report, learn.", no_args_is_help=True)


@app.command("list")
def list_(
    spoilers: Annotated[
        bool,
        typer.Option("--spoilers", help="For instructors: what each is about, and its answer."),
    ] = False,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """All scenarios, the gentlest first. What one teaches is told after its debrief."""
    from sandbox.drill import listing

    del pack

    rows = listing.rows(spoilers)
    emit(rows, lambda: out.print(listing.view(rows)), json_)


@app.command()
def show(name: str, pack: Pack = None, json_: Json = False) -> None:
    """The briefing of a scenario, without its truth."""
    from sandbox.drill import library

    del pack
    s = library.named(name)
    row = {"name": s.id, "title": s.title, "difficulty": s.stars, "minutes": s.minutes,
           "world": s.world, "world_rate": s.world_rate, "briefing": s.briefing}  # fmt: skip

    def human() -> None:
        out.print(
            f"[bold]{escape(s.title)}[/]  {'★' * s.stars}  {s.minutes:g} minutes, world {s.world}\n"
        )
        out.print(escape(s.briefing))

    emit(row, human, json_)


@app.command()
def start(
    name: Annotated[str | None, typer.Argument(help="Scenario; see `sandbox drill list`.")] = None,
    gentlest: Annotated[
        bool,
        typer.Option(
            "--gentlest", help="Take the gentlest scenario; by script without a terminal."
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of traffic and chance.")] = None,
    world: Annotated[str | None, typer.Option(help="Another world than the scenario's.")] = None,
    speed: Annotated[float | None, typer.Option(help="World seconds per second.")] = None,
    autopilot: Annotated[
        bool,
        typer.Option("--autopilot", help="Let the scripted responder answer, from up to down."),
    ] = False,
    without_fault: Annotated[
        bool, typer.Option("--without-fault", help="Leave the faults out; all else happens.")
    ] = False,
    shell: Annotated[bool, typer.Option(help="Open the drill shell.")] = True,
    run_dir: Annotated[Path | None, typer.Option(help="Use this run directory or stack.")] = None,
    backend: Annotated[
        Backend, typer.Option(help="live: processes and Locust; virtual: one process, no waiting.")
    ] = Backend.live,
    beside: Annotated[
        bool, typer.Option("--beside", help="Start it beside a stack that is up already.")
    ] = False,
    twin: Twin = True,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """Start a drill. With a terminal it opens the drill shell; --autopilot needs nobody."""
    from sandbox.drill import library

    del pack
    if name is None and not gentlest:
        raise SandboxError(
            "CFG-004", where="sandbox drill start", seen="no name", expected="a scenario's name or --gentlest",
            fix="see `sandbox drill list`",
        )  # fmt: skip
    scenario = library.gentlest() if name is None else library.named(name)
    options = {
        "seed": seed,
        "world": world,
        "speed": speed,
        "run_dir": run_dir,
        "faults": not without_fault,
    }
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not json_
    if backend is Backend.virtual:
        return _virtually(scenario, options, autopilot, shell and terminal, twin, json_)
    if not beside:
        require_room(run_dir, ask=terminal)
    if autopilot or (gentlest and not terminal):
        return _by_script(scenario, options, twin, json_)
    _by_hand(scenario, options, json_, shell and terminal, twin)


def _by_script(scenario: Any, options: dict[str, Any], twin: bool, json_: bool) -> None:
    from sandbox.drill import session
    from sandbox.drill.debrief import render
    from sandbox.drill.live_desk import autopilot as autopilot_on
    from sandbox.runtime.stack import Stack

    with progress(json_) as show_progress:
        drill = session.start(scenario, **options, autopilot=True, progress=show_progress)
    stack = Stack(Path(drill.plan.run_dir))
    try:
        autopilot_on(drill, _sayer(drill.run.clock()))
    finally:
        if drill.plan.own_stack:
            stack.down()
    with progress(json_) as show_progress:
        result = session.grade(drill, show_progress, twin=twin)
    entries = drill.entries()

    def human() -> None:
        report = session.filed_report(entries)
        assert report is not None
        out.print(render(drill.scenario, entries, report, result))

    emit(result, human, json_)


def _virtually(
    scenario: Any, options: dict[str, Any], autopilot: bool, shell: bool, twin: bool, json_: bool
) -> None:
    from sandbox.drill import session
    from sandbox.drill.autopilot import respond
    from sandbox.drill.debrief import render
    from sandbox.drill.virtual import VirtualDrill

    if options.pop("speed") is not None:
        raise SandboxError(
            "CFG-004", where="sandbox drill start, --speed", seen="a speed for the virtual backend",
            expected="the scenario's own: nobody waits there", fix="leave --speed out",
        )  # fmt: skip
    if not autopilot and not shell:
        raise SandboxError(
            "CFG-004", where="sandbox drill start", seen="--backend virtual with neither terminal nor --autopilot",
            expected="somebody to answer: world time stands still until one does",
            fix="add --autopilot, use a terminal, or drive it from Python: docs/responders.md",
        )  # fmt: skip
    with progress(json_) as show_progress:
        drill = VirtualDrill.start(
            scenario, **options, autopilot=autopilot, progress=show_progress
        )  # fmt: skip
    with drill:
        if not autopilot:
            from sandbox.drill.virtual_shell import open_virtual_shell

            return open_virtual_shell(drill, twin)
        report, _ = respond(drill.drill.scenario, drill, drill.began_ts, _sayer(drill))
        with progress(json_) as show_progress:
            result = drill.file(report, show_progress, twin=twin)
    entries = drill.drill.entries()

    def human() -> None:
        filed = session.filed_report(entries)
        assert filed is not None
        out.print(render(scenario, entries, filed, result))

    emit(result, human, json_)


def _sayer(clock: Any) -> Callable[[str], None]:
    from sandbox.drill.report import world_time

    def say(what: str) -> None:
        err.print(f"[dim]{world_time(clock.now())[11:]}[/] {escape(what)}")

    return say


def _by_hand(scenario: Any, options: dict[str, Any], json_: bool, shell: bool, twin: bool) -> None:
    from sandbox.drill import session

    with progress(json_) as show_progress:
        drill = session.start(scenario, **options, autopilot=False, progress=show_progress)
    if shell:
        return open_shell(drill, twin)
    document = {"drill": drill.plan.drill, "run_dir": drill.plan.run_dir, "title": scenario.title,
                "briefing": scenario.briefing}  # fmt: skip

    def human() -> None:
        out.print(f"[bold]{escape(scenario.title)}[/]\n\n{escape(scenario.briefing)}")
        out.print("The stack is up. Ask it: sandbox sql, sandbox trace, sandbox act;")
        out.print(
            "pages: sandbox drill status; when you know: sandbox drill report, which takes it down"
        )

    emit(document, human, json_)


for _command in (status, hint, report, debrief, attach):
    app.command()(_command)


@app.command()
def words(json_: Json = False) -> None:
    """The words of a report: components, families and mechanisms, columns of segments."""
    from sandbox.drill import taxonomy
    from sandbox.drill.views import words_view

    document = {
        "components": {c.name: c.about for c in taxonomy.COMPONENTS.values()},
        "mechanisms": {
            family: {m.name: m.about for m in taxonomy.MECHANISMS.values() if m.family == family}
            for family in taxonomy.FAMILIES
        },
        "segment_columns": dict(taxonomy.SEGMENT_COLUMNS),
    }
    emit(document, lambda: out.print(words_view()), json_)
