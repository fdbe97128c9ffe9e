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
        bool, typer.Option("--spoilers", help="For instructors: what each is about, and its answer.")
    ] = False,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """All scenarios, the gentlest first. What one teaches is told after its debrief."""
    from sandbox.drill.terminal import listing

    del pack

    rows = listing.rows(spoilers)
    emit(rows, lambda: out.print(listing.view(rows)), json_)


@app.command()
def show(name: str, pack: Pack = None, json_: Json = False) -> None:
    """The briefing of a scenario, without its truth."""
    from sandbox.drill.scenario import library

    del pack
    s = library.named(name)
    row = {"name": s.id, "title": s.title, "difficulty": s.stars, "minutes": s.minutes,
           "world": s.world, "world_rate": s.world_rate, "briefing": s.briefing}  # fmt: skip

    def human() -> None:
        out.print(f"[bold]{escape(s.title)}[/]  {'★' * s.stars}  {s.minutes:g} minutes, world {s.world}\n")
        out.print(escape(s.briefing))

    emit(row, human, json_)


@app.command()
def start(
    name: Annotated[str | None, typer.Argument(help="Scenario; see `sandbox drill list`.")] = None,
    gentlest: Annotated[
        bool, typer.Option("--gentlest", help="Take the gentlest scenario; by script without a terminal.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of traffic and chance.")] = None,
    world: Annotated[str | None, typer.Option(help="Another world than the scenario's.")] = None,
    speed: Annotated[float | None, typer.Option(help="World seconds per second.")] = None,
    autopilot: Annotated[
        bool, typer.Option("--autopilot", help="Let the scripted responder answer, from up to down.")
    ] = False,
    without_fault: Annotated[
        bool, typer.Option("--without-fault", help="Leave the faults out; all else happens.")
    ] = False,
    shell: Annotated[bool, typer.Option(help="Open the drill shell.")] = True,
    run_dir: Annotated[Path | None, typer.Option(help="Use this run directory or stack.")] = None,
    backend: Annotated[
        Backend, typer.Option(help="live: processes and Locust; virtual: one process, no waiting.")
    ] = Backend.live,
    beside: Annotated[bool, typer.Option("--beside", help="Start it beside a stack that is up already.")] = False,
    twin: Twin = True,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """Start a drill. With a terminal it opens the drill shell; --autopilot needs nobody."""
    from sandbox.drill.scenario import library

    del pack
    if name is None and not gentlest:
        raise SandboxError(
            "CFG-004",
            where="sandbox drill start",
            seen="no name",
            expected="a scenario's name or --gentlest",
            fix="see `sandbox drill list`",
        )
    scenario = library.gentlest() if name is None else library.named(name)
    options = {"seed": seed, "world": world, "speed": speed, "run_dir": run_dir, "faults": not without_fault}
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not json_
    by_script = autopilot or (gentlest and not terminal and backend is Backend.live)
    opens_shell = shell and terminal and not by_script
    if backend is Backend.virtual:
        _require_answerer(options, by_script or opens_shell)
    elif not beside:
        require_room(run_dir, ask=terminal)
    with progress(json_) as show_progress:
        desk = _desk(backend, scenario, options, by_script, show_progress)
    with desk:
        if by_script:
            return _by_script(desk, twin, json_)
        if opens_shell:
            return open_shell(desk, twin)
    _told(desk.drill, json_)


def _require_answerer(options: dict[str, Any], there: bool) -> None:
    """Raises CFG-004 for what makes no sense on the virtual backend."""
    if options.pop("speed") is not None:
        raise SandboxError(
            "CFG-004",
            where="sandbox drill start, --speed",
            seen="a speed for the virtual backend",
            expected="the scenario's own: nobody waits there",
            fix="leave --speed out",
        )
    if not there:
        raise SandboxError(
            "CFG-004",
            where="sandbox drill start",
            seen="--backend virtual with neither terminal nor --autopilot",
            expected="somebody to answer: world time stands still until one does",
            fix="add --autopilot, use a terminal, or drive it from Python: docs/responders.md",
        )


def _desk(backend: Backend, scenario: Any, options: dict[str, Any], autopilot: bool, show_progress: Any) -> Any:
    if backend is Backend.virtual:
        from sandbox.drill.play.virtual_desk import VirtualDesk

        return VirtualDesk.start(scenario, **options, autopilot=autopilot, progress=show_progress)
    from sandbox.drill.play.live_desk import LiveDesk

    return LiveDesk.start(scenario, **options, autopilot=autopilot, progress=show_progress)


def _by_script(desk: Any, twin: bool, json_: bool) -> None:
    """Lets the scripted responder answer, to the debrief."""
    from sandbox.drill.debrief.document import debriefed
    from sandbox.drill.grading.outcome import outcome
    from sandbox.drill.play.live_drill import let_stack_go
    from sandbox.drill.responders.autopilot import respond
    from sandbox.drill.terminal.debrief import render

    drill = desk.drill
    with progress(json_) as show_progress:
        try:
            written, _ = respond(drill.scenario, desk, desk.began_ts, _sayer(desk))
            desk.file(written, show_progress)
        except BaseException:  # Ctrl-C too: nobody is left who would end it
            let_stack_go(drill, show_progress)
            raise
        result = outcome(drill, show_progress, twin=twin)
    emit(result, lambda: out.print(render(debriefed(drill, result))), json_)


def _sayer(desk: Any) -> Callable[[str], None]:
    from sandbox.drill.play.report import world_time

    def say(what: str) -> None:
        err.print(f"[dim]{world_time(desk.now())[11:]}[/] {escape(what)}")

    return say


def _told(drill: Any, json_: bool) -> None:
    """What to do about a live drill that nobody has a shell on."""
    scenario = drill.scenario
    document = {"drill": drill.plan.drill, "run_dir": drill.plan.run_dir, "title": scenario.title,
                "briefing": scenario.briefing}  # fmt: skip

    def human() -> None:
        out.print(f"[bold]{escape(scenario.title)}[/]\n\n{escape(scenario.briefing)}")
        out.print("The stack is up. Ask it: sandbox sql, sandbox trace, sandbox act;")
        out.print("pages: sandbox drill status; when you know: sandbox drill report, which takes it down")

    emit(document, human, json_)


for _command in (status, hint, report, debrief, attach):
    app.command()(_command)


@app.command()
def words(json_: Json = False) -> None:
    """The words of a report: components, families and mechanisms, columns of segments."""
    from sandbox.drill.scenario import taxonomy
    from sandbox.drill.terminal.views import words_view

    document = {
        "components": {c.name: c.about for c in taxonomy.COMPONENTS.values()},
        "mechanisms": {
            family: {m.name: m.about for m in taxonomy.MECHANISMS.values() if m.family == family}
            for family in taxonomy.FAMILIES
        },
        "segment_columns": dict(taxonomy.SEGMENT_COLUMNS),
    }
    emit(document, lambda: out.print(words_view()), json_)
