"""`sandbox privacy`: the laws, what is held of a person, erasing people, and the audit."""

from __future__ import annotations

import sys
import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.cli.options import Json, require_writable
from sandbox.cli.output import emit, err, number, out, progress

if TYPE_CHECKING:
    from sandbox.privacy.erase import Deletion
    from sandbox.privacy.people import Person

app = typer.Typer(
    help="People's data under the law: a teaching model, no legal advice.", no_args_is_help=True, add_completion=False
)

World = Annotated[str, typer.Option("--world", "-w", help="World whose people are meant.")]
ByKey = Annotated[bool, typer.Option("--key", help="USER is the source's own key, not the world's number.")]


@app.command()
def export(
    user: Annotated[str, typer.Argument(help="Number of the user in the world.")],
    world: World = "laptop",
    by_key: ByKey = False,
    to: Annotated[Path | None, typer.Option(help="Also write it there: .json for programs, .md for people.")] = None,
    json_: Json = False,
) -> None:
    """All that is held of one person, in every store; exit code 1 where one could not be read."""
    from sandbox.privacy import export as exports

    if to is not None:
        require_writable(to, "--to")
        if to.suffix not in (".json", ".md"):
            raise SandboxError(
                "CFG-004", where="--to", seen=str(to), expected="a file that ends in .json or .md", fix="call it so"
            )
    (person,) = _people(world, [user], by_key)
    with progress(json_) as show:
        told = exports.export(world_dir(world), person, progress=show)
    document, readable = told.document(), exports.markdown(told)
    if to is not None:
        to.write_text(_dumped(document) if to.suffix == ".json" else readable)
    emit(document, lambda: out.print(readable, markup=False, soft_wrap=True), json_)
    if not told.complete:
        raise typer.Exit(1)


@app.command()
def delete(
    user: Annotated[str | None, typer.Argument(help="Number of the user in the world.")] = None,
    world: World = "laptop",
    by_key: ByKey = False,
    users_from: Annotated[
        Path | None, typer.Option("--from", help="A file of users instead, one a line; erased together.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: Json = False,
) -> None:
    """Erase a person from every store of a world; exit code 1 where one could not be reached."""
    from sandbox.privacy.erase import erase

    who = _people(world, _named(user, users_from), by_key)
    if not dry_run and not yes and sys.stdin.isatty() and not _confirmed(who, world):
        err.print("nothing was erased")
        raise typer.Exit(1)
    from sandbox.world.files import locked

    # A build of this world is waited for: it would put the old rows back.
    with nullcontext() if dry_run else locked(world), progress(json_) as show:
        done = erase(world_dir(world), who, now=time.time(), dry_run=dry_run, progress=show)
    emit(done.document(), lambda: _tell(done), json_)
    if not done.complete and not dry_run:
        raise typer.Exit(1)


@app.command()
def audit(
    world: World = "laptop",
    run_dir: Annotated[Path | None, typer.Option(help="Look at this run's lake, not at the world.")] = None,
    json_: Json = False,
) -> None:
    """Every breach that can be found, in SQL; exit code 1 where there is one."""
    from sandbox.privacy import audit as audits
    from sandbox.telemetry.lake import connect

    with progress(json_) as show:
        if run_dir is not None:
            with closing(connect(run_dir / "lake")) as lake:
                found = audits.of_run(run_dir, lake, now=time.time(), progress=show)
        else:
            load_manifest(world)
            found = audits.of_world(world_dir(world), now=time.time(), progress=show)
    rows = [breach.document() for breach in found]

    def human() -> None:
        if not rows:
            return out.print("no breach found")
        table = Table("rule", "law", "article", "people", "rows", "oldest, h", "models")
        for row in rows:
            counts = (f"{row['people']:,}", f"{row['rows']:,}", number(row["oldest_hours"]))
            table.add_row(row["rule"], row["law"], row["article"], *counts, " ".join(row["models"]))
        out.print(table)

    emit(rows, human, json_)
    if rows:
        raise typer.Exit(1)


@app.command()
def laws(
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="Only what is law at the end of this world's history.")
    ] = None,
    json_: Json = False,
) -> None:
    """The laws that are modelled, rule by rule, with sources."""
    from sandbox.privacy.reference import described

    rows = described(load_manifest(world).history_end_ts if world else None)

    def human() -> None:
        table = Table("law", "article", "demands", "from", "until", "status")
        for row in rows:
            table.add_row(
                *(str(row[name] or "") for name in ("law", "article", "demands", "from", "until", "standing"))
            )
        out.print(table)
        out.print("[dim]A teaching model, not legal advice.[/]")

    emit(rows, human, json_)


@app.command()
def bench(
    events: Annotated[int, typer.Option(help="Of the history that is made for it.")] = 10_000_000, json_: Json = False
) -> None:
    """Time a deletion of 1,000 of 20,000 people from every kind of store, and the audit, beside a bare DuckDB pass."""
    from sandbox.bench import privacy

    if not 100_000 <= events <= 100_000_000:
        raise SandboxError(
            "CFG-001",
            where="sandbox privacy bench --events",
            seen=events,
            expected="100000 to 100000000",
            fix="leave it out",
        )
    with progress(json_) as show:
        document = privacy.measure(events, show).document()

    def human() -> None:
        table = Table("figure", "value")
        for name, value in {**document["figures"], **document["ratios"]}.items():
            table.add_row(name, f"{value:g}")
        out.print(table)

    emit(document, human, json_)


def _confirmed(who: list[Person], world: str) -> bool:
    people = f"user {who[0].name}" if len(who) == 1 else f"{len(who):,} users"
    question = f"Erase {people} from {world}, its runs and its models' files? This cannot be undone."
    return typer.confirm(question, err=True)  # stdout is for the answer


def _people(world: str, names: list[str], by_key: bool) -> list[Person]:
    from sandbox.privacy import people

    load_manifest(world)
    return people.found(world_dir(world), names, by_key=by_key)


def _named(user: str | None, users_from: Path | None) -> list[str]:
    if (user is None) == (users_from is None):
        raise SandboxError(
            "CFG-004", where="sandbox privacy delete", seen="both a user and --from" if user else "nobody",
            expected="a user, or a file of users", fix="sandbox privacy delete 17, or: sandbox privacy delete --from users.txt",
        )  # fmt: skip
    if users_from is None:
        return [str(user)]
    try:
        names = [line.strip() for line in users_from.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(
            "CFG-002",
            where="--from",
            seen=str(users_from),
            expected="a text file with a user a line",
            fix=f"check the path ({error})",
        ) from error
    if not names:
        raise SandboxError(
            "CFG-004", where="--from", seen=f"{users_from}: no line", expected="a user a line", fix="name somebody"
        )
    return names


def _dumped(document: Any) -> str:
    import json

    return json.dumps(document, indent=1, default=str) + "\n"


def _tell(done: Deletion) -> None:
    table = Table("store", "before", "after")
    for store in done.stores:
        if store.before != 0 or store.error:
            after = str(store.error["code"]) if store.error else "" if done.dry_run else f"{store.after:,}"
            table.add_row(store.name, "–" if store.before is None else f"{store.before:,}", after)
    if table.row_count:
        out.print(table)
    if done.models:
        out.print(f"models that saw them: {' '.join(done.models)} (train anew: sandbox model build)")
    if done.dry_run:
        return out.print("nothing was changed: a dry run")
    if done.already:
        out.print("erased before; nothing was left" if done.complete else "erased before; something is left")
    for due in done.receipt.get("due", ()):
        out.print(f"due by {due['by']}: {due['law']}, article {due['article']}")
    verdict = "[green]complete[/]" if done.complete else "[red]incomplete[/]: ask again when all stores can be reached"
    out.print(f"{verdict}; receipt {done.receipt['file']}")
