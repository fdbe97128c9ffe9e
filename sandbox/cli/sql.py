"""`sandbox sql`: SQL on the telemetry of a run, read-only."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table as RichTable

from sandbox.base.errors import SandboxError
from sandbox.base.run import RunInfo, latest_run
from sandbox.base.schema import IC_COMMENT, TABLES
from sandbox.base.worlds import load_manifest, world_dir
from sandbox.cli.noting import note_look
from sandbox.cli.options import RunDir
from sandbox.cli.output import emit, out
from sandbox.telemetry.answers import answer, count, plain

if TYPE_CHECKING:
    from sandbox.telemetry.sql import SqlWorker

SHOWN_ROWS = 200  # on the terminal; --json gives all


def sql(
    statement: Annotated[str, typer.Argument(help="one SELECT; - reads it from stdin")] = "",
    run_dir: RunDir = None,
    json_: Annotated[bool, typer.Option("--json", help="print {columns, rows}")] = False,
    file: Annotated[Path | None, typer.Option(help="read the statement from a file")] = None,
    timeout: Annotated[float, typer.Option(help="time limit, wall seconds")] = 10.0,
    tables: Annotated[bool, typer.Option("--tables", help="list the tables")] = False,
    describe: Annotated[str, typer.Option(help="list the columns of a table")] = "",
    world: Annotated[str, typer.Option(help="ask the book of this world's pipeline, not a run")] = "",
) -> None:
    """Ask the telemetry of a run a question in SQL (DuckDB's dialect), read-only.

    Times are world time; `$began`, `$paged` and `$now` stand for those of a drill. Example: sandbox sql "SELECT region, count(*) FROM requests GROUP BY 1"
    """
    if tables:
        return list_tables(json_)
    if describe:
        return describe_table(describe, json_)
    # Imported late: neither --tables nor --describe needs a run.
    from sandbox.telemetry.sql import SqlWorker

    text = _statement(statement, file)
    run = None if world else RunInfo.load(run_dir or latest_run())
    started = time.perf_counter()
    with SqlWorker(run.lake if run else _book(world)) as lake:
        result = lake.query(_with_times(text, run, lake) if run else text, timeout_s=timeout)
    took_s = time.perf_counter() - started
    if run:
        note_look(run, text, is_query=True)
    document = {"columns": result.columns, "rows": [[plain(v) for v in r] for r in result.rows]}
    if result.truncated:
        document["truncated"] = True

    def human() -> None:
        n = len(result.rows)
        out.print(answer(result.columns, result.rows[:SHOWN_ROWS], out.width))
        more = f", the first {SHOWN_ROWS} shown" if n > SHOWN_ROWS else ""
        cut = " (there are more: LIMIT or aggregate)" if result.truncated else ""
        out.print(f"[dim]{count(n)}{cut}{more} in {took_s:.2f} s[/]")

    emit(document, human, json_)
    return None


def _book(world: str) -> Path:
    """Raises WORLD-001, WORLD-003."""
    load_manifest(world)
    return world_dir(world) / "pipeline" / "lake"


def _with_times(text: str, run: RunInfo, lake: SqlWorker) -> str:
    """The statement with a drill's times put in, as its shell puts them in. Without a drill it began when
    the run did; now is the time of the latest sample, which a run that is over has too."""
    if "$" not in text:
        return text
    from sandbox.drill.play import drills
    from sandbox.drill.scenario.queries import filled

    latest = lake.query("SELECT epoch(world_now())").rows[0][0]
    now = run.world_start if latest is None else float(latest)
    times: dict[str, float | None] = {"began": run.world_start, "now": now}
    with suppress(SandboxError):  # no drill on this run
        times |= drills.of_run(Path(run.run_dir)).times(now)
    return filled(text, times)


def list_tables(json_: bool) -> None:
    document = [{"table": t.name, "row": t.row, "writer": t.writer} for t in TABLES.values()]
    document.append({"table": "ic", "row": IC_COMMENT, "writer": "view"})

    def human() -> None:
        table = RichTable("table", "one row per", "written by", header_style="bold")
        for entry in document:
            table.add_row(*(escape(entry[key]) for key in ("table", "row", "writer")))
        out.print(table)
        out.print("[dim]columns: sandbox sql --describe TABLE[/]")

    emit(document, human, json_)


def describe_table(name: str, json_: bool) -> None:
    """Raises LAKE-004 when there is no such table."""
    from sandbox.telemetry.reference import columns_of

    columns = columns_of(name)
    document = [{"column": c.name, "type": c.type, "comment": c.comment} for c in columns]

    def human() -> None:
        table = RichTable("column", "type", "holds", header_style="bold")
        for column in columns:
            table.add_row(column.name, column.type, escape(column.comment))
        out.print(table)

    emit(document, human, json_)


def _statement(statement: str, file: Path | None) -> str:
    if statement and file:
        raise _bad("a statement and --file", "one of the two")
    if file is not None:
        try:
            return file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SandboxError(
                "CFG-002", where="--file", seen=str(error), expected="a readable text file", fix="check the path"
            ) from error
    if statement == "-":
        return sys.stdin.read()
    if not statement.strip():
        raise _bad("no statement", "a SELECT, --file, --tables or --describe")
    return statement


def _bad(seen: str, expected: str) -> SandboxError:
    fix = 'for example: sandbox sql "SELECT count(*) FROM requests"'
    return SandboxError("CFG-004", where="sandbox sql", seen=seen, expected=expected, fix=fix)
