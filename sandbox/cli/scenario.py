"""`sandbox scenario`: for who writes drills."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.cli.options import Json, Pack
from sandbox.cli.output import emit, out, progress

app = typer.Typer(help="Check and prove scenarios.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A scenario's name, or its file.")]


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(help="Files, or names of scenarios.")],
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """Find all that is wrong with scenarios before they are played: errors (exit code 2) and warnings."""
    from sandbox.drill import library
    from sandbox.drill.checks.run import check as run
    from sandbox.drill.checks.view import view

    del pack
    found = [run(library.path_of(name)) for name in names]
    documents = [one.document() for one in found]

    def human() -> None:
        for one in found:
            out.print(view(one), soft_wrap=True, highlight=False)

    emit(documents[0] if len(documents) == 1 else documents, human, json_)
    if not all(one.ok for one in found):
        raise typer.Exit(2)


@app.command()
def prove(
    name: Name,
    world: Annotated[str | None, typer.Option(help="Another world than the scenario's.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds for the responders, its own first.")] = 1,
    timeout: Annotated[
        float, typer.Option(help="Wall seconds that a responder has for a drill.")
    ] = 120.0,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """Measure whether it is true, solvable and fair: harm, signals, evidence, look-alikes, responders."""
    from sandbox.drill import evaluate, library
    from sandbox.drill import prove as proving
    from sandbox.runtime.stack import ensure_built

    del pack
    scenario = library.named(name)
    evaluate.require(seeds, timeout)
    with progress(json_) as show_progress:
        ensure_built(world or scenario.world, show_progress)
        proof = proving.prove(
            scenario, world=world, n_seeds=seeds, timeout_s=timeout, progress=show_progress
        )
    document = proof.document()
    emit(document, lambda: _print(document), json_)
    if not document["ok"]:
        raise typer.Exit(1)


def _print(proof: dict[str, Any]) -> None:
    verdict = "[bold green]ok[/]" if proof["ok"] else "[bold red]not ok[/]"
    out.print(f"[bold]{escape(proof['scenario'])}[/]  {verdict}: {escape(proof['why'])}")
    first = proof["first_signal"]
    when = (
        f"{first['name']}, {first['after_s'] / 60:.0f} world minutes after the onset"
        if first["name"]
        else "none"
    )
    out.print(
        f"harm         {proof['harm_z']:.1f} standard deviations of a healthy day, in {proof['harm_metric']}"
    )
    out.print(f"first signal {escape(when)}")
    evidence = Table("evidence", "holds", "strength", "under look-alikes", box=None, pad_edge=False)
    for row in proof["evidence"]:
        under = ", ".join(f"{name} {value:.2f}" for name, value in row["under"].items())
        evidence.add_row(
            row["query"], "yes" if row["holds"] else "no", f"{row['strength']:.2f}", under or "-"
        )
    out.print(evidence)
    for name, why in proof["not_run"].items():
        out.print(f"[dim]not run under {escape(name)}: {escape(why)}[/]")
    scores = Table("responder", "score", box=None, pad_edge=False)
    for name, score in proof["responders"].items():
        scores.add_row(name, f"{score:.2f}")
    scores.add_row("gold, without the fault", f"{proof['no_fault']:.2f}")
    out.print(scores)
