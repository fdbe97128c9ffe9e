"""The `sandbox` command: every group registered, every error printed in one form."""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperGroup
from typer.exceptions import TyperException

from sandbox.base import paths
from sandbox.base.errors import SandboxError
from sandbox.cli.output import err

# Exit codes: 0 done, 1 the answer is no, 2 bad input, 3 the stack failed, 128 + n ended by signal n.
_STACK_FAILED = ("UNAVAILABLE", "INTERNAL", "DATA_LOSS", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")

_GROUPS = {  # command group -> module with a Typer `app`
    "world": "sandbox.cli.world",
    "drill": "sandbox.cli.drill",
    "fault": "sandbox.cli.fault",
    "lake": "sandbox.cli.lake",
    "load": "sandbox.cli.load",
    "model": "sandbox.cli.model",
    "pipeline": "sandbox.cli.pipeline",
    "privacy": "sandbox.cli.privacy",
    "room": "sandbox.cli.room",
    "scenario": "sandbox.cli.scenario",
}
_COMMANDS = {  # command -> module and function
    "up": ("sandbox.cli.stack", "up"),
    "down": ("sandbox.cli.stack", "down"),
    "status": ("sandbox.cli.stack", "status"),
    "doctor": ("sandbox.cli.stack", "doctor"),
    "recommend": ("sandbox.cli.recommend", "recommend"),
    "sql": ("sandbox.cli.sql", "sql"),
    "trace": ("sandbox.cli.trace", "trace"),
    "act": ("sandbox.cli.act", "act"),
    "bench": ("sandbox.cli.bench", "bench"),
    "profile": ("sandbox.cli.profile", "profile"),
    "calibrate": ("sandbox.cli.calibrate", "calibrate"),
    "simulate": ("sandbox.cli.simulate", "simulate"),
    "cache": ("sandbox.cli.cache", "cache"),
    "capacity": ("sandbox.cli.capacity", "capacity"),
    "twin": ("sandbox.cli.twin", "twin"),
    "mcp": ("sandbox.cli.mcp", "mcp"),
    "evaluate": ("sandbox.cli.evaluate", "evaluate"),
}


class LazyGroup(TyperGroup):
    """Loads the module of a command when it is used: `sandbox sql` must not wait for torch."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted([*_GROUPS, *_COMMANDS])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _GROUPS:
            command = typer.main.get_command(importlib.import_module(_GROUPS[cmd_name]).app)
        elif cmd_name in _COMMANDS:
            module, function = _COMMANDS[cmd_name]
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(getattr(importlib.import_module(module), function))
            command = typer.main.get_command(single)
        else:
            return None
        command.name = cmd_name
        return command


app = typer.Typer(cls=LazyGroup, no_args_is_help=True)


@app.callback()
def _root() -> None:
    """A recommender system that people are meant to break: drills for debugging ML in production."""


def root() -> Any:
    """The whole command tree, for `main`, the reference and the audit."""
    return typer.main.get_command(app)


def _fail(error: SandboxError, json_: bool) -> int:
    if json_:
        sys.stderr.write(json.dumps(error.as_json()) + "\n")
    else:
        err.print(f"[bold red]{error.kind.code}[/] {escape(error.kind.title)}")
        for label in ("where", "seen", "expected", "fix"):
            err.print(f"  [dim]{label:<9}[/] {escape(str(getattr(error, label)))}", soft_wrap=True)
    if error.kind.status == "ABORTED":  # somebody else was quicker
        return 1
    if error.kind.code.startswith("LAKE"):  # a query past its limits is a bad query
        return 2
    return 3 if error.kind.status in _STACK_FAILED else 2


def _unexpected(error: Exception) -> SandboxError:
    """What nobody foresaw, as an error; its traceback goes to SANDBOX_HOME/crash.log where it can."""
    place = str(getattr(error, "filename", None) or paths.home())
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SandboxError(
            "RUN-005",
            where=place,
            seen=str(error),
            expected="space to write",
            fix="free some space, or set SANDBOX_HOME or --run-dir to another disk",
        )
    if isinstance(error, OSError) and error.filename is not None:
        return SandboxError(
            "CFG-002",
            where=place,
            seen=str(error),
            expected="a place that can be read and written",
            fix="check the path; or set SANDBOX_HOME or --run-dir to a directory of yours",
        )
    frame = traceback.extract_tb(error.__traceback__)[-1]
    fix = "run it again; if it stays, report it with this message"
    log = paths.home() / "crash.log"
    try:
        log.write_text("".join(traceback.format_exception(error)))
        fix = f"run it again; if it stays, report it with {log}"
    except OSError:
        pass  # the message has to do
    return SandboxError(
        "RUN-008",
        where=f"{Path(frame.filename).name}:{frame.lineno}",
        seen=f"{type(error).__name__}: {error}"[:300],
        expected="an answer or a typed error",
        fix=fix,
    )


def _told(error: TyperException) -> str:
    formatted = getattr(error, "format_message", None)
    return str(formatted() if formatted else error)


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits: see the exit codes above."""
    args = sys.argv[1:] if arguments is None else arguments
    stopped: list[int] = []

    def told_to(number: int, _frame: Any) -> None:
        stopped.append(number)
        sys.exit(128 + number)

    if arguments is None:  # as a program: what it brought up goes with it
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, told_to)
    json_ = "--json" in args
    try:
        code: Any = root().main(args=args, prog_name="sandbox", standalone_mode=False)
    except SandboxError as error:
        code = _fail(error, json_)
    except typer.Exit as stop:
        code = stop.exit_code
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group alone: its help was the answer
            sys.stdout.write(_told(error) + "\n")
            sys.exit(0)
        bad = SandboxError(
            "CFG-004",
            where=" ".join(["sandbox", *args[:2]]),
            seen=_told(error),
            expected="options as in --help",
            fix="see `sandbox --help` and `sandbox COMMAND --help`",
        )
        code = _fail(bad, json_)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:  # whoever read the answer has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # the edge of the program: an error, never a traceback
        # A stop that comes while DuckDB runs a query comes out of it as a RuntimeError that says this.
        by_hand = isinstance(error, RuntimeError) and str(error) == "Query interrupted"
        code = 128 + stopped[-1] if stopped else 130 if by_hand else _fail(_unexpected(error), json_)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
