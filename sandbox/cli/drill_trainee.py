"""`sandbox drill status`, `hint`, `report`, `debrief` and `attach`: what a trainee types outside the shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, RunDir, require_writable
from sandbox.cli.output import emit, out, progress

Twin = Annotated[bool, typer.Option(help="Grade impact and evidence by the drill's twin; without it, at once.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed without a terminal.")]


def status(run_dir: RunDir = None, json_: Json = False) -> None:
    """Where the drill stands: its clock, the pages, the hints taken, what you did."""
    from sandbox.drill.play import drills, standing
    from sandbox.drill.terminal.views import status_view

    document = standing.status(drills.of_run(run_dir))
    emit(document, lambda: out.print(status_view(document)), json_)


def hint(yes: Yes = False, run_dir: RunDir = None, json_: Json = False) -> None:
    """The next of three hints. Each has a price, which is said before it is given."""
    from sandbox.drill.play import drills, standing

    drill = drills.of_run(run_dir)
    offer = standing.hint_offer(drill)
    if not yes and not agrees(offer, "sandbox drill hint", json_):
        raise typer.Exit(1)
    text = standing.hint(drill)
    emit({"hint": text}, lambda: out.print(escape(text)), json_)


def report(
    file: Annotated[Path | None, typer.Option("--file", help="YAML file with the report.")] = None,
    template: Annotated[bool, typer.Option("--template", help="Print an empty report.")] = False,
    twin: Twin = True,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Hand in the incident report, from a file or from questions, and read the debrief. The stack that came up
    for the drill goes then."""
    from sandbox.drill.debrief.document import debriefed
    from sandbox.drill.grading.outcome import outcome
    from sandbox.drill.play import drills, standing
    from sandbox.drill.play import report as reports
    from sandbox.drill.play.live_desk import LiveDesk
    from sandbox.drill.terminal.debrief import render

    if template:
        blank = reports.TEMPLATE
        return emit({"template": blank}, lambda: out.print(blank, markup=False, end="", soft_wrap=True), json_)
    drill = drills.of_run(run_dir)
    if drill.plan.backend == "virtual" and not standing.is_over(drill):
        raise SandboxError(
            "DRILL-006",
            where="sandbox drill report",
            seen="a virtual drill, whose world its shell holds",
            expected="a report from that shell",
            fix="sandbox drill attach, then `report` there",
        )
    if file is not None:
        written = reports.load(file)
    elif is_terminal() and not json_:
        asked = _asked(drill)
        if asked is None:
            out.print("nothing was filed; your answers are kept")
            raise typer.Exit(1)
        written = asked
    else:
        raise SandboxError(
            "CFG-004",
            where="sandbox drill report",
            seen="no --file",
            expected="a file, or a terminal for prompts",
            fix="print an empty report: sandbox drill report --template > report.yaml",
        )
    with progress(json_) as show_progress:
        with LiveDesk(drill) as desk:
            desk.file(written, show_progress)
        result = outcome(drill, show_progress, twin=twin)
    emit(result, lambda: out.print(render(debriefed(drill, result))), json_)


def debrief(
    drill: Annotated[
        str | None, typer.Argument(help="Run directory of a drill, or its name; default the latest.")
    ] = None,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Give up a drill that is not over, without marks.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it to this file too, as one HTML page that needs nothing else.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write an incident report about it to this Markdown file too.")
    ] = None,
    pdf: Annotated[
        Path | None, typer.Option("--pdf", help="Write the page to this PDF file too, by a browser that is there.")
    ] = None,
    twin: Twin = True,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """What really happened, once the report is in, or the drill was given up."""
    from sandbox.drill.debrief.document import debriefed
    from sandbox.drill.debrief.markdown import incident_report
    from sandbox.drill.debrief.page import page
    from sandbox.drill.debrief.pdf import browser
    from sandbox.drill.debrief.pdf import pdf as printed
    from sandbox.drill.grading.outcome import outcome
    from sandbox.drill.play import drills, live_drill, standing
    from sandbox.drill.play.by_hand import AsPlanned
    from sandbox.drill.terminal.debrief import render
    from sandbox.drill.twin import story as twins

    def as_pdf(told: Any) -> bytes:
        return printed(page(told))

    files: dict[Path | None, tuple[str, str, Any]] = {
        html: ("--html", ".html", page), markdown: ("--markdown", ".md", incident_report), pdf: ("--pdf", ".pdf", as_pdf),
    }  # fmt: skip
    if pdf is not None:
        browser()  # before minutes of work for a file that could not be printed
    for file, (option, suffix, _) in files.items():
        if file is not None:
            require_writable(file, f"sandbox drill debrief {option}", suffix)
    if drill is not None and run_dir is not None:
        raise SandboxError(
            "CFG-004",
            where="sandbox drill debrief",
            seen=f"{drill} and --run-dir {run_dir}",
            expected="one of both",
            fix="leave --run-dir out: a run directory may be named alone",
        )
    found = drills.of_run(run_dir) if drill is None else twins.find(drill, "sandbox drill debrief")
    with progress(json_) as show_progress:
        if abandon and not standing.is_over(found):
            live_drill.give_up(found)
            live_drill.let_stack_go(found, show_progress)
        planned = AsPlanned(found.directory)  # as the room's grade sees it: without an instructor's hand
        result = outcome(planned, show_progress, twin=twin)
    document = debriefed(found, result)
    for file, (_, _, written) in files.items():
        if file is not None:
            made = written(document)
            file.write_bytes(made if isinstance(made, bytes) else made.encode())

    def human() -> None:
        out.print(render(document))
        for file in filter(None, files):
            out.print(f"written: {file}", markup=False, soft_wrap=True)

    emit(document, human, json_)


def attach(
    run: Annotated[
        str | None, typer.Argument(help="Run directory or name of a drill; default the one that was left.")
    ] = None,
    twin: Twin = True,
    json_: Json = False,
) -> None:
    """Take up a drill that was left running, in the drill shell. A virtual one is played again to where it was."""
    from sandbox.drill.play import standing
    from sandbox.drill.play.live_desk import LiveDesk
    from sandbox.drill.terminal import leaving
    from sandbox.drill.twin import story as twins

    drill = leaving.left() if run is None else twins.find(run)
    document = {"drill": drill.plan.drill, "run_dir": drill.plan.run_dir, "backend": drill.plan.backend,
                "title": drill.scenario.title}  # fmt: skip
    if json_:
        return emit(document, lambda: None, json_)
    if not is_terminal():
        raise SandboxError(
            "CFG-004",
            where="sandbox drill attach",
            seen="no terminal",
            expected="one, for the drill shell",
            fix="ask it by single commands: sandbox drill status, sandbox sql, sandbox act, sandbox drill report",
        )
    if drill.plan.backend == "live":
        standing.require_running(drill)
        with LiveDesk(drill) as desk:
            return open_shell(desk, twin)
    from sandbox.drill.play.virtual_desk import VirtualDesk

    with progress(json_) as show_progress:
        resumed = VirtualDesk.resume(drill, show_progress)
    with resumed:
        return open_shell(resumed, twin)


def open_shell(desk: Any, twin: bool) -> None:
    """The drill shell on a drill that runs."""
    from sandbox.drill.terminal.leaving import open_shell as opened

    opened(desk, twin)


def is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def agrees(question: str, where: str, json_: bool) -> bool:
    """Asks a person, Enter meaning no. Raises CFG-004 where there is nobody to ask."""
    from sandbox.drill.terminal.prompt import agreed

    if json_ or not is_terminal():
        raise SandboxError(
            "CFG-004",
            where=where,
            seen="nobody to ask, and no --yes",
            expected="a terminal, or --yes",
            fix=f"add --yes: {where} ... --yes",
        )
    return agreed(_line, question)


def _line(question: str) -> str:
    from prompt_toolkit import prompt

    try:
        return prompt(f"{question} ")
    except EOFError:
        return ""


def _asked(drill: Any) -> Any:
    """The report by questions, None where the trainee went back."""
    from prompt_toolkit import prompt
    from prompt_toolkit.completion import WordCompleter

    from sandbox.drill.play.notebook import Notebook
    from sandbox.drill.terminal.interview import interview
    from sandbox.drill.terminal.segment_values import values_in
    from sandbox.telemetry.sql import SqlWorker

    def ask(question: str, words: Any) -> str:
        completer = WordCompleter(list(words), sentence=True, match_middle=True) if words else None
        return prompt(f"{question} ", completer=completer)

    with SqlWorker(drill.run.lake) as lake:
        return interview(
            drill, ask, queries=Notebook(drill.directory).asked(), values_of=values_in(lambda sql: lake.query(sql).rows)
        )
