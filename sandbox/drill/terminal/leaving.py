"""How a drill shell begins, goes on and ends: nobody leaves a drill by accident."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.markup import escape

from sandbox.base.errors import SandboxError
from sandbox.base.progress import ProgressFn
from sandbox.drill.debrief.document import debriefed
from sandbox.drill.play import drills, standing
from sandbox.drill.play.desk import Desk
from sandbox.drill.play.drills import Drill
from sandbox.drill.play.live_drill import let_stack_go
from sandbox.drill.play.report import world_time
from sandbox.drill.terminal import shell_words
from sandbox.drill.terminal.debrief import render
from sandbox.drill.terminal.prompt import Terminal
from sandbox.drill.terminal.replies import UnclearError, word_of
from sandbox.drill.terminal.views import page_view
from sandbox.drill.terminal.watch import Bar, StillBar, Watch

if TYPE_CHECKING:
    from sandbox.drill.terminal.shell import Shell

GOES_ON = "the drill goes on: sandbox drill attach takes it up again"
_STILL = "Time stands still until you ask: a query takes half a world minute, `wait 10` ten of them.\n"
_BUSY = "The stack is up and its users are busy.\n"
_WAYS = ("leave", "abandon", "stay")


def open_shell(desk: Desk, twin: bool = True, **streams: Any) -> None:
    """Runs the shell until the trainee leaves it, or the drill is over: then a live stack that came up for it
    goes. A terminal that is closed, or a crash, leaves a live drill running.

    twin: see `grading.outcome`. streams: `input` and `output` of prompt_toolkit, for tests.
    """
    from sandbox.drill.terminal.shell import Shell

    drill, greeting = desk.drill, Console(force_terminal=True)
    shell = Shell(desk, greeting, twin=twin)
    # Before the prompt is there: what is written beside it may come after it.
    briefed(greeting, drill)
    greeting.print(f"{_STILL if desk.stands_still else _BUSY}Type SQL, or `help` ({len(shell.help)} commands).\n")
    page = desk.paged()
    if page is not None and desk.stands_still:
        _page(greeting, drill.scenario.pager.text, world_time(page))
    with patch_stdout(raw=True):
        console = shell.console = Console(file=sys.stdout, force_terminal=True)
        bar: Bar = StillBar(desk) if desk.stands_still else Watch(drill, partial(_page, console))
        terminal = Terminal(shell.commands, bar.parts, **streams)
        shell.ask = terminal.ask
        bar.start()
        try:
            converse(shell, terminal)
        finally:
            bar.close()
        if standing.is_over(drill):
            let_stack_go(drill, lambda what, _: console.print(what))


def _page(console: Console, text: str, when: str) -> None:
    console.print(page_view(text, when))


def left() -> Drill:
    """The newest drill that is not over and can be taken up: a live one that runs, or a virtual one that no
    process holds. Raises DRILL-006 when there is none."""
    for directory in sorted(drills.root().glob("*"), reverse=True) if drills.root().is_dir() else ():
        drill = Drill(directory)
        with suppress(SandboxError, OSError, ValueError):
            running = drills.running_on(Path(drill.plan.run_dir))
            by_hand = not drill.plan.autopilot and running == (drill.plan.backend == "live")
            if by_hand and not standing.is_over(drill):
                return drill
    raise SandboxError(
        "DRILL-006",
        where="drill attach",
        seen="no drill that was left running",
        expected="one",
        fix="start one: sandbox drill start NAME",
    )


def briefed(console: Console, drill: Drill) -> None:
    """What a trainee reads first."""
    console.print(f"[bold]{escape(drill.scenario.title)}[/]\n\n{escape(drill.scenario.briefing)}")


def converse(shell: Shell, terminal: Terminal) -> None:
    """Line by line, until the trainee leaves. Whatever else ends it says how the drill is taken up again."""
    try:
        while True:
            line = terminal.line()
            if not shell.answer("quit" if line is None else line) and leaves(shell):
                return
    except BaseException:
        with suppress(OSError):  # a terminal that is gone hears nothing
            sys.stderr.write(f"\n{GOES_ON}\n")
        raise


def leaves(shell: Shell) -> bool:
    """Whether to leave: asked while the drill runs, and done as was said."""
    if standing.is_over(shell.drill):
        return True
    way = _way(shell)
    if way == "leave":
        shell.console.print(GOES_ON, markup=False)
    if way == "abandon":
        return _abandoned(shell)
    return way != "stay"


def _abandoned(shell: Shell) -> bool:
    """Whether that went well. Ctrl-C ends the debrief, which can be had again."""
    try:
        with progress_on(shell.console) as progress:
            result = shell.abandon(progress)
        shell.show(render(debriefed(shell.drill, result)))
    except (KeyboardInterrupt, EOFError):
        shell.console.print("once more: sandbox drill debrief", markup=False)
    except SandboxError as error:
        shell.console.print(shell_words.told(error))
    return standing.is_over(shell.drill)


def _way(shell: Shell) -> str:
    """The end of the input means to leave: there is nobody who could say more."""
    if shell.ask is None:
        return "leave"
    question = "The drill is running: leave it running, abandon it (then you are told what it was), or stay? [stay]"
    while True:
        try:
            text = shell.ask(question, _WAYS)
        except EOFError:
            return "leave"
        except KeyboardInterrupt:
            return "stay"
        short = {way[0]: way for way in _WAYS}
        try:
            return word_of(short.get(text.lower(), text or "stay"), _WAYS, "way out")
        except UnclearError:
            shell.console.print(f"one of {', '.join(_WAYS)}")


@contextmanager
def progress_on(console: Console) -> Iterator[ProgressFn]:
    """A line that says what is being done and how much of it is."""
    with console.status("a moment") as status:

        def show(what: str, share: float | None) -> None:
            status.update(escape(what if not share else f"{what} ({share:.0%})"))

        yield show
