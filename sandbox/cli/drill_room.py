"""Whether there is room for another live drill on this machine: stacks that are up share its cores."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from sandbox.base.errors import SandboxError
from sandbox.cli.output import err


def require_room(run_dir: Path | None, *, ask: bool) -> None:
    """Says what is up and what it costs, and asks whether to start beside it. run_dir: a stack there is taken
    over, and no second one. Raises RUN-009 where there is nobody to ask; ends with 1 when the answer is no."""
    from sandbox.drill.terminal.replies import UnclearError, yes_no
    from sandbox.runtime.stack import Stack

    up = [s for s in Stack.running() if run_dir is None or s.run_dir != run_dir.resolve()]
    if not up:
        return
    told = [_told(stack) for stack in up]
    refusal = SandboxError(
        "RUN-009",
        where="sandbox drill start",
        seen="; ".join(told),
        expected="a machine without a stack, for two of them slow each other",
        fix="take its drill up: sandbox drill attach; or take it down: sandbox down; or start beside it: --beside",
    )
    if not ask:
        raise refusal
    for line in told:
        err.print(f"up: {line}", markup=False, soft_wrap=True)
    while True:
        text = typer.prompt("Start another stack beside it, yes or no?", default="no", err=True)
        try:
            if yes_no(text):
                return
            err.print(f"not started; {refusal.fix}", markup=False, soft_wrap=True)
            raise typer.Exit(1)
        except UnclearError as why:
            err.print(str(why), markup=False)


def _told(stack: Any) -> str:
    """One stack: where it is, what it costs, which drill runs on it."""
    from sandbox.drill.play import drills, standing

    rows = stack.status()["services"]
    alive = [row for row in rows if row["pid"] or row["healthy"]]
    mib = sum(row["rss_bytes"] or 0 for row in alive) / 2**20
    told = f"{stack.run_dir}: {len(alive)} processes, {mib:,.0f} MiB"
    with suppress(SandboxError):
        drill = drills.of_run(stack.run_dir)
        if not standing.is_over(drill):
            return f"{told}, drill “{drill.scenario.title}”"
    return f"{told}, no drill"
