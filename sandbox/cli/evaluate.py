"""`sandbox evaluate`: responders over scenarios and seeds."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, Pack
from sandbox.cli.output import emit, out, progress


def evaluate(
    responder: Annotated[str, typer.Option(help="all, names or module:Class, joined by commas.")] = "all",
    scenarios: Annotated[str, typer.Option(help="all, or names joined by commas.")] = "all",
    seeds: Annotated[int, typer.Option(help="Seeds for each scenario, its own first.")] = 1,
    world: Annotated[str | None, typer.Option(help="Another world than the scenarios'.")] = None,
    without_fault: Annotated[
        bool, typer.Option("--without-fault", help="Leave the faults out; all else happens.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Wall seconds that a responder has for a drill.")] = 120.0,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """Let programs answer drills on the virtual backend, and compare their scores."""
    from sandbox.drill.responders import evaluate as evaluation
    from sandbox.drill.responders import registry
    from sandbox.runtime.stack import ensure_built

    del pack
    chosen = registry.checked(_names("--responder", responder))
    chosen_scenarios = evaluation.scenarios_of(_names("--scenarios", scenarios))
    evaluation.require(seeds, timeout)
    with progress(json_) as show_progress:
        for name in {world or s.world for s in chosen_scenarios}:
            ensure_built(name, show_progress)
        rows = evaluation.evaluate(
            chosen, chosen_scenarios, seeds, world=world, faults=not without_fault, timeout_s=timeout,
            progress=show_progress,
        )  # fmt: skip
    emit({"rows": rows}, lambda: _print(rows), json_)


def _names(option: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise SandboxError(
            "CFG-004",
            where=f"sandbox evaluate, {option}",
            seen=text,
            expected="all, or names joined by commas",
            fix="see `sandbox drill list` and docs/responders.md",
        )
    return names


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("scenario", "responder", "score", "95 % interval", "seeds", "note")
    last = None
    for row in rows:
        shown = "" if row["scenario"] == last else row["scenario"]
        last = row["scenario"]
        reach = f"{row['low']:.2f} to {row['high']:.2f}" if row["seeds"] > 1 else "-"
        table.add_row(
            shown, escape(row["responder"]), f"{row['score']:.2f}", reach, str(row["seeds"]), escape(row["note"])
        )
    out.print(table)
