"""`sandbox act`: operations on a running stack, each shown with its blast radius first."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.base.run import RunInfo, latest_run
from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, out


def act(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="ACTION argument=value ...; without one: what can be done"),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what it would do.")] = False,
    list_changes: Annotated[
        bool, typer.Option("--list-changes", help="What was changed on this stack so far.")
    ] = False,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Carry out an operation: roll back, restart, take another path, revert a change, and so on."""
    from sandbox.runtime.actions import ACTIONS, Action
    from sandbox.runtime.operations import Operations
    from sandbox.runtime.stack import Stack

    if list_changes:
        return _changes(Operations(RunInfo.load(run_dir or latest_run())), json_)
    if not words:
        rows = [
            {"action": k.name, "summary": k.summary, "arguments": k.arguments}
            for k in ACTIONS.values()
        ]
        return emit(rows, lambda: _print_actions(rows), json_)
    action = Action.parse(words)
    stack = Stack.attach(run_dir)
    stack.require_up()
    operations = Operations(stack.run)
    radius = action.preview(operations)
    if not json_:
        out.print(radius.told(), markup=False)
    if preview:
        return emit({"preview": asdict(radius)}, lambda: None, json_)
    record = action.run(operations, "operator")
    document = {"preview": asdict(radius), "done": asdict(record)}
    emit(
        document, lambda: out.print(f"done: change {record.n}, {record.old} -> {record.new}"), json_
    )


def _print_actions(rows: list[dict[str, Any]]) -> None:
    table = Table("action", "what it does", "arguments")
    for row in rows:
        table.add_row(
            row["action"],
            row["summary"],
            "\n".join(f"{k}: {v}" for k, v in row["arguments"].items()),
        )
    out.print(table)


def _changes(operations: Any, json_: bool) -> None:
    records = operations.records()
    rows = [
        {"n": r.n, "ts": r.ts, "actor": r.actor, "target": r.target, "key": r.key, "old": r.old,
         "new": r.new, "note": r.note, "revertible": bool(r.before)}
        for r in records
    ]  # fmt: skip

    def human() -> None:
        table = Table("n", "actor", "target", "key", "old", "new", "note", "can be reverted")
        for row in rows:
            cells = (row[k] for k in ("n", "actor", "target", "key", "old", "new", "note"))
            table.add_row(*map(str, cells), "yes" if row["revertible"] else "no")
        out.print(table)

    emit(rows, human, json_)
