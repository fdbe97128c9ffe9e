"""`sandbox scenario`: for who writes drills."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.cli.options import Json
from sandbox.cli.output import emit, out, progress

app = typer.Typer(help="Check and prove scenarios.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A scenario's name, or its file.")]


@app.command()
def check(name: Name, json_: Json = False) -> None:
    """Read a scenario as strictly as a drill does."""
    from sandbox.drill import library

    s = library.named(name)
    row = {"scenario": s.id, "title": s.title, "incident": s.truth.incident, "steps": len(s.timeline),
           "evidence": [e.id for e in s.evidence], "ok": True}  # fmt: skip
    emit(row, lambda: out.print(f"{s.id}: well-formed, {len(s.timeline)} steps"), json_)


@app.command()
def prove(
    name: Name,
    world: Annotated[str | None, typer.Option(help="Another world than the scenario's.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds for the responders, its own first.")] = 1,
    timeout: Annotated[
        float, typer.Option(help="Wall seconds that a responder has for a drill.")
    ] = 120.0,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Harm, evidence, sentences and actions: no responders, no look-alikes."
        ),
    ] = False,
    json_: Json = False,
) -> None:
    """Measure whether it is true, solvable and fair: harm, signals, evidence, actions, look-alikes, responders."""
    from sandbox.drill import evaluate, library
    from sandbox.drill import prove as proving
    from sandbox.runtime.stack import ensure_built

    scenario = library.named(name)
    evaluate.require(seeds, timeout)
    with progress(json_) as show_progress:
        ensure_built(world or scenario.world, show_progress)
        proof = proving.prove(
            scenario,
            world=world,
            n_seeds=seeds,
            timeout_s=timeout,
            quick=quick,
            progress=show_progress,
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
    actions = Table("action at onset", "averts", box=None, pad_edge=False)
    for text, share in proof["averted"].items():
        actions.add_row(escape(text), f"{share:.0%} of the harm")
    if proof["averted"]:
        out.print(actions)
    for claim in proof["claims"]:
        told = "[green]true[/]" if claim["holds"] else "[bold red]not true[/]"
        out.print(f"{told} “{escape(claim['says'])}” [dim]{escape(claim['seen'])}[/]")
    for name, why in proof["not_run"].items():
        out.print(f"[dim]not run under {escape(name)}: {escape(why)}[/]")
    if proof["quick"]:
        return
    scores = Table("responder", "score", box=None, pad_edge=False)
    for name, score in proof["responders"].items():
        scores.add_row(name, f"{score:.2f}")
    scores.add_row("gold, without the fault", f"{proof['no_fault']:.2f}")
    out.print(scores)
