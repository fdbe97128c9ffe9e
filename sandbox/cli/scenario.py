"""`sandbox scenario`: for who writes drills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, Pack, require_writable
from sandbox.cli.output import emit, err, out, progress

app = typer.Typer(help="Write, check, show and prove scenarios.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A scenario's name, or its file.")]


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(help="Files, or names of scenarios.")],
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """Find all that is wrong with scenarios before they are played: errors (exit code 2) and warnings."""
    from sandbox.drill.authoring.check import check as run
    from sandbox.drill.authoring.view import view
    from sandbox.drill.scenario import library

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
def show(
    name: Annotated[str | None, typer.Argument(help="A scenario's name, or its file.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the picture to this SVG file.")] = None,
    settings: Annotated[bool, typer.Option("--settings", help="List what can be released, scoped, named.")] = False,
    run: Annotated[
        bool, typer.Option("--run", help="Run a healthy and a broken day, show the evidence on both.")
    ] = False,
    world: Annotated[str | None, typer.Option(help="Another world than the scenario's.")] = None,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """A scenario with its truth: the timeline as a picture, the evidence, what it can be made of."""
    from sandbox.cli import scenario_show
    from sandbox.drill.authoring import days, palette, portrait
    from sandbox.drill.scenario import library
    from sandbox.runtime.stack import ensure_built

    del pack
    if name is None and (not settings or svg is not None or run):
        raise _refused("NAME", "none", "a scenario's name or file, or --settings alone")
    if svg is not None:
        require_writable(svg, "sandbox scenario show --svg", ".svg")
    scenario = None if name is None else library.named(name)
    chosen = world or (scenario.world if scenario is not None else "laptop")
    document: dict[str, Any] = {}
    if scenario is not None:
        document |= {
            "scenario": scenario.model_dump(mode="json"),
            "lines": [
                {"kind": line.kind, "at_s": line.at_s, "label": line.label, "guilty": line.guilty}
                for line in portrait.lines_of(scenario)
            ],
        }
        if svg is not None:
            svg.write_text(portrait.as_svg(scenario))
    if settings:
        document |= palette.document(chosen)
    if scenario is not None and run:
        with progress(json_) as show_progress:
            ensure_built(chosen, show_progress)
            document["evidence"] = days.document(scenario, chosen, show_progress)

    def human() -> None:
        if scenario is not None:
            out.print(f"[bold]{escape(scenario.title)}[/]  {'★' * scenario.stars}  world {escape(chosen)}")
            out.print(escape("\n".join(portrait.told(scenario))))
            out.print(escape(portrait.in_blocks(scenario, out.width)), soft_wrap=True)
        if settings:
            scenario_show.print_settings(document)
        if "evidence" in document:
            scenario_show.print_days(document["evidence"])

    emit(document, human, json_)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Its name: small letters, digits, hyphens.")],
    source: Annotated[str | None, typer.Option("--from", help="A scenario, or its file, to start from.")] = None,
    fault: Annotated[str | None, typer.Option(help="Start from the gentlest scenario with this fault.")] = None,
    title: Annotated[str | None, typer.Option(help="What the trainee reads.")] = None,
    stars: Annotated[int | None, typer.Option(help="Difficulty, 1 to 5.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Wall minutes that the trainee has.")] = None,
    world: Annotated[str | None, typer.Option(help="World it is played in.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of traffic and chance.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Where to write it; default SANDBOX_HOME/scenarios/NAME.yaml.")
    ] = None,
    pack: Pack = None,
    json_: Json = False,
) -> None:
    """Write a scenario that passes the check, to go on from. In a terminal it asks for what is not said."""
    from sandbox.cli import scenario_new

    del pack
    head = {"title": title, "stars": stars, "minutes": minutes, "world": world, "seed": seed}
    scenario_new.new(name, source, fault, head, file, json_)


def _refused(option: str, seen: str, expected: str) -> SandboxError:
    return SandboxError(
        "CFG-004", where=f"sandbox scenario, {option}", seen=seen, expected=expected, fix="see sandbox scenario --help"
    )


@app.command()
def prove(
    names: Annotated[list[str], typer.Argument(help="Names of scenarios, or files; `all` for the core pack.")],
    world: Annotated[str | None, typer.Option(help="Another world than the scenario's.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds for the responders, its own first.")] = 1,
    timeout: Annotated[float, typer.Option(help="Wall seconds that a responder has for a drill.")] = 1200.0,
    pack: Pack = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Harm, evidence, sentences and actions: no responders, no look-alikes.")
    ] = False,
    table: Annotated[Path | None, typer.Option("--table", help="Write a page about all of them, in Markdown.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was proved before, by this code and pack.")] = False,
    json_: Json = False,
) -> None:
    """Measure whether it is true, solvable and fair: harm, signals, evidence, actions, look-alikes, responders.

    A proof is kept: interrupted, the same command goes on with the next scenario.
    """
    from sandbox.drill.proof import kept
    from sandbox.drill.proof import prove as proving
    from sandbox.drill.proof.table import of_pack, page
    from sandbox.drill.responders import evaluate
    from sandbox.drill.scenario import library
    from sandbox.runtime.stack import ensure_built

    del pack
    if table is not None:
        require_writable(table, "sandbox scenario prove --table")
    scenarios = [s for n in names for s in (library.load_all().values() if n == "all" else [library.named(n)])]
    evaluate.require(seeds, timeout)
    everything, documents = library.load_all().values(), []
    for scenario in scenarios:
        with progress(json_) as show_progress:
            ensure_built(world or scenario.world, show_progress)
            key = kept.key(scenario, everything, world or scenario.world, seeds, quick)
            document = None if again else kept.read(key)
            if document is None:
                proof = proving.prove(
                    scenario, world=world, n_seeds=seeds, timeout_s=timeout, quick=quick, progress=show_progress
                )
                document = proof.document()
                kept.write(key, document)
        documents.append(document)
        if not json_:
            _print(documents[-1])
    together = of_pack(documents) if len(documents) > 1 else []
    if table is not None:
        table.write_text(page(documents))
    if json_:
        emit(documents[0] if len(documents) == 1 else documents, lambda: None, json_)
    for text in together:
        err.print(f"over all of them: {text}", markup=False, soft_wrap=True)
    if together or not all(document["ok"] for document in documents):
        raise typer.Exit(1)


def _print(proof: dict[str, Any]) -> None:
    verdict = "[bold green]ok[/]" if proof["ok"] else "[bold red]not ok[/]"
    out.print(f"[bold]{escape(proof['scenario'])}[/]  {verdict}: {escape(proof['why'])}")
    first = proof["first_signal"]
    when = f"{first['name']}, {first['after_s'] / 60:.0f} world minutes after the onset" if first["name"] else "none"
    out.print(f"harm         {proof['harm_z']:.1f} standard deviations of a healthy day, in {proof['harm_metric']}")
    out.print(f"first signal {escape(when)}")
    evidence = Table("evidence", "holds", "strength", "under look-alikes", box=None, pad_edge=False)
    for row in proof["evidence"]:
        under = ", ".join(f"{name} {value:.2f}" for name, value in row["under"].items())
        evidence.add_row(row["query"], "yes" if row["holds"] else "no", f"{row['strength']:.2f}", under or "-")
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
