"""How a drill shell begins, goes on and ends: nobody leaves a drill by accident."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.markup import escape

from sandbox.base.errors import SandboxError
from sandbox.drill import session, shell_words, store
from sandbox.drill.debrief import render
from sandbox.drill.replies import UnclearError, word_of
from sandbox.drill.store import Drill
from sandbox.drill.terminal import Terminal
from sandbox.drill.views import page_view
from sandbox.drill.watch import Watch
from sandbox.runtime.building import ProgressFn
from sandbox.runtime.stack import Stack

if TYPE_CHECKING:
    from sandbox.drill.shell import Shell

GOES_ON = "the drill goes on: sandbox drill attach takes it up again"
_WAYS = ("leave", "abandon", "stay")


def open_shell(drill: Drill, twin: bool = True, **streams: Any) -> None:
    """Runs the shell on a live drill until the trainee leaves it, or the drill is over: then the stack that
    came up for it goes. A terminal that is closed, or a crash, leaves both running.

    twin: see `session.grade`. streams: `input` and `output` of prompt_toolkit, for tests.
    """
    from sandbox.drill.shell import Shell

    with patch_stdout(raw=True):
        console = Console(file=sys.stdout, force_terminal=True)
        watch = Watch(drill, lambda text, when: console.print(page_view(text, when)))
        shell = Shell(drill, console, twin=twin)
        terminal = Terminal(shell.commands, watch.parts, **streams)
        shell.ask = terminal.ask
        briefed(console, drill)
        console.print("The stack is up and its users are busy. Type SQL, or `help`.\n")
        watch.start()
        try:
            converse(shell, terminal)
        finally:
            watch.close()
            shell.close()
        stack = Stack(Path(drill.plan.run_dir))
        if session.is_over(drill) and drill.plan.own_stack and stack.alive:
            console.print("taking the stack down")
            stack.down()


def left() -> Drill:
    """The newest drill that is not over and can be taken up: a live one that runs, or a virtual one that no
    process holds. Raises DRILL-006 when there is none."""
    for directory in sorted(store.root().glob("*"), reverse=True) if store.root().is_dir() else ():
        drill = Drill(directory)
        with suppress(SandboxError, OSError, ValueError):
            running = store.running_on(Path(drill.plan.run_dir))
            by_hand = not drill.plan.autopilot and running == (drill.plan.backend == "live")
            if by_hand and not session.is_over(drill):
                return drill
    raise SandboxError(
        "DRILL-006", where="drill attach", seen="no drill that was left running", expected="one",
        fix="start one: sandbox drill start NAME",
    )  # fmt: skip


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
    if session.is_over(shell.drill):
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
        shell.show(render(shell.drill.scenario, shell.drill.entries(), None, result))
    except (KeyboardInterrupt, EOFError):
        shell.console.print("once more: sandbox drill debrief", markup=False)
    except SandboxError as error:
        shell.console.print(shell_words.told(error))
    return session.is_over(shell.drill)


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
