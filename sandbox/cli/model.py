"""`sandbox model`: build the models of a world, look at versions, evaluate."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sandbox.base import artefacts, stages, worlds
from sandbox.cli import model_canary, model_stages
from sandbox.cli.model_places import OnStack, World, place_of
from sandbox.cli.options import Json
from sandbox.cli.output import emit, err, out, progress

app = typer.Typer(
    help="Models: build, list, show, evaluate, and which version is live.", no_args_is_help=True, add_completion=False
)
app.command("promote")(model_stages.promote)
app.command("rollback")(model_stages.rollback)
app.command("history")(model_stages.history)
app.command("discard")(model_stages.discard)
app.command("canary")(model_canary.canary)


@app.command()
def build(
    world: World = "laptop",
    force: Annotated[bool, typer.Option(help="Build even what is up to date.")] = False,
    json_: Json = False,
) -> None:
    """Train the first generation of models, unless it is there already."""
    from sandbox.pipeline.build import ensure_models  # torch: only the commands that train wait for it

    with progress(json_) as show:
        built = ensure_models(_directory(world), show, force=force)
    now = stages.read(built.registry)
    rows = [_short(built.artefact(name), now.stage_of(name, version)) for name, version in built.versions.items()]
    emit({"world": world, "versions": rows}, lambda: _table(rows), json_)


@app.command("list")
def list_(world: World = "laptop", on_stack: OnStack = None, json_: Json = False) -> None:
    """Versions in the registry of a world, or that a stack can serve, and the stage of each."""
    place = place_of(world, on_stack)
    now = place.stages()
    rows = [_short(a, now.stage_of(a.manifest.artifact, a.manifest.version)) for a in place.versions()]
    emit(rows, lambda: _table(rows), json_)
    for error in () if json_ else place.damaged():
        err.print(f"[yellow]not a version[/]  {escape(error.where)}: {escape(str(error.seen))}\n  {escape(error.fix)}")


@app.command()
def show(
    version: Annotated[str, typer.Argument(help="Version, such as rk-1.")], world: World = "laptop",
    on_stack: OnStack = None, json_: Json = False,
) -> None:  # fmt: skip
    """The manifest of one version: stage, lineage, metrics, inputs, files. Checks the files' hashes."""
    place = place_of(world, on_stack)
    artefact = place.named(version)
    now, artifact = place.stages(), artefact.manifest.artifact
    document = {
        **artefact.manifest.model_dump(), "digest": artefact.digest, "path": str(artefact.path),
        "stage": now.stage_of(artifact, version), "gate": now.gates.get(artifact, {}).get(version),
    }  # fmt: skip
    emit(document, lambda: _tell(document), json_)


@app.command()
def evaluate(
    protocol: Annotated[
        str,
        typer.Option(
            help="P1: 8:1:1 at random in each user, all interactions. P2: the last one left out. "
            "P3: as P1, likes only. random-auc, time-auc: the ranker on shown items."
        ),
    ] = "P1",
    world: World = "laptop",
    seed: Annotated[int, typer.Option(min=0, help="Of the split and the training.")] = 1,
    json_: Json = False,
) -> None:
    """Train and test the served model classes beside popularity, ItemKNN and EASE on one split."""
    from sandbox.pipeline import evaluate as evaluation  # torch: see build

    with progress(json_) as step:
        document = evaluation.evaluate(_directory(world), protocol, seed=seed, progress=step)
    emit(document, lambda: _scores(document), json_)


def _directory(world: str) -> Path:
    worlds.load_manifest(world)  # says which worlds there are when this one is not
    return worlds.world_dir(world)


def _short(artefact: artefacts.Artefact, stage: str) -> dict[str, Any]:
    manifest = artefact.manifest
    return {
        "artifact": manifest.artifact,
        "version": manifest.version,
        "stage": stage,
        "created": _when(manifest.created_ts),
        "rows": manifest.data.rows,
        "metrics": manifest.metrics,
        "parents": manifest.parents,
        "digest": artefact.digest,
    }


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        err.print("no versions; build them: sandbox model build")
        return
    table = Table(box=None)
    for name in ("artifact", "version", "stage", "created (world)", "rows", "metrics"):
        table.add_column(name, justify="right" if name == "rows" else "left", no_wrap=name != "metrics")
    for row in rows:
        metrics = "  ".join(f"{k} {v:.4g}" for k, v in row["metrics"].items() if "[" not in k)
        table.add_row(row["artifact"], row["version"], row["stage"], row["created"], f"{row['rows']:,}", metrics)
    out.print(table)


def _tell(document: dict[str, Any]) -> None:
    data = document["data"]
    out.print(f"{document['artifact']} {document['version']}", style="bold")
    out.print(f"stage        {document['stage']}, gate {document['gate'] or 'none'}")
    out.print(f"trained on   {data['rows']:,} rows, {_when(data['from_ts'])} to {_when(data['to_ts'])} (world)")
    out.print(
        f"             digest {data['digest']}, label window {data['label_window_h']:g} h, "
        f"positive {data['pos_rate']:.4f}"
    )
    out.print(f"made by      code {document['code_hash']}, seed {document['seed']}")
    for title, values in (("parents", document["parents"]), ("metrics", document["metrics"])):
        for name, value in values.items():
            out.print(
                f"{title:<12} {name} {value:.4g}" if title == "metrics" else f"{title:<12} {name} {value}", markup=False
            )
    for at, name in enumerate(document["inputs"]):
        out.print(f"input {at:>3}    {name}", markup=False)
    for name, digest in document["files"].items():
        out.print(f"file         {name}  sha256 {digest[:16]}…")
    out.print(f"at           {document['path']}", markup=False)


def _scores(document: dict[str, Any]) -> None:
    names = list(dict.fromkeys(name for row in document["rows"] for name in row["metrics"]))
    table = Table(title=f"{document['world']}, protocol {document['protocol']}", box=None)
    table.add_column("model")
    for name in names:
        table.add_column(name, justify="right")
    for row in document["rows"]:
        table.add_row(row["model"], *(_cell(row["metrics"].get(name)) for name in names))
    out.print(table)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _when(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M")
