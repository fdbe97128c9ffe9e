"""`sandbox act`: operations on a running stack, each shown with its blast radius first."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.base.run import RunInfo, latest_run
from sandbox.cli.drill_trainee import agrees
from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, out


def act(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="ACTION argument=value ...; ACTION alone: what its arguments may be; nothing: what can be done"
        ),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what it would do.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking; needed without a terminal.")] = False,
    list_changes: Annotated[
        bool, typer.Option("--list-changes", help="What was changed on this stack so far.")
    ] = False,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Carry out an operation: roll back, restart, take another path, revert a change, and so on. It is shown
    first, and asked for."""
    from sandbox.drill.play import typed
    from sandbox.runtime.operate.actions import ACTIONS, kind_named
    from sandbox.runtime.operate.operations import Operations
    from sandbox.runtime.stack import Stack

    if list_changes:
        return _changes(Operations(RunInfo.load(run_dir or latest_run())), json_)
    if not words:
        rows = [{"action": k.name, "summary": k.summary, "arguments": k.arguments} for k in ACTIONS.values()]
        return emit(rows, lambda: _print_actions(rows), json_)
    if len(words) == 1 and kind_named(words[0]).arguments:
        return _explain(words[0], Operations(RunInfo.load(run_dir or latest_run())), json_)
    typed.check(" ".join(words))
    stack = Stack.attach(run_dir)
    stack.require_up()
    planned = typed.planned(" ".join(words), Operations(stack.run))
    radius = planned.preview
    if not json_:
        out.print(radius.told(), markup=False)
    if preview:
        return emit({"preview": asdict(radius)}, lambda: None, json_)
    if not yes and not agrees("Do it, yes or no?", "sandbox act", json_):
        out.print("nothing was done")
        raise typer.Exit(1)
    record = planned.carry_out()
    document = {"preview": asdict(radius), "done": asdict(record)}
    emit(document, lambda: out.print(f"done: change {record.n}, {record.old} -> {record.new}"), json_)


def _explain(name: str, operations: Any, json_: bool) -> None:
    """What the arguments of one action may be on that stack."""
    from sandbox.drill.terminal.views import explained_view
    from sandbox.runtime.operate.actions import kind_named

    kind = kind_named(name)
    document = {
        "action": name,
        "summary": kind.summary,
        "arguments": [asdict(one) for one in kind.explained(operations)],
    }
    emit(document, lambda: out.print(explained_view(kind, operations)), json_)


def _print_actions(rows: list[dict[str, Any]]) -> None:
    table = Table("action", "what it does", "arguments")
    for row in rows:
        table.add_row(row["action"], row["summary"], "\n".join(f"{k}: {v}" for k, v in row["arguments"].items()))
    out.print(table)


def _changes(operations: Any, json_: bool) -> None:
    from sandbox.drill.terminal.views import changes_view

    records = operations.records()
    rows = [
        {"n": r.n, "ts": r.ts, "actor": r.actor, "target": r.target, "key": r.key, "old": r.old,
         "new": r.new, "note": r.note, "revertible": bool(r.before)}
        for r in records
    ]  # fmt: skip

    emit(rows, lambda: out.print(changes_view(records)), json_)
