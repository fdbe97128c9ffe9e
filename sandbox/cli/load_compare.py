"""`sandbox load compare`: two reports, or two configurations of one stack in turns."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sandbox.base.errors import SandboxError
from sandbox.cli.options import Json, RunDir
from sandbox.cli.output import emit, err, number, out, progress


def compare(
    a: Annotated[str, typer.Argument(help="A report of `sandbox load run`, or as-is, or an action in quotes.")],
    b: Annotated[str, typer.Argument(help="The other one, of the same kind.")],
    rate: Annotated[float, typer.Option(help="Requests per wall second, of configurations.")] = 10.0,
    seconds: Annotated[float, typer.Option(help="Wall seconds of each turn.")] = 15.0,
    rounds: Annotated[int, typer.Option(help="How many times A B B A.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of arrivals and of intervals.")] = 1,
    k: Annotated[int, typer.Option(help="Items in a slate.")] = 10,
    run_dir: RunDir = None,
    json_: Json = False,
) -> None:
    """Hold two loads against each other: ratios with 95 % intervals, a verdict only where the data allow one.

    Two reports are held against each other as they are. Two configurations, as `as-is` and `"retries caller=ranking
    callee=model attempts=3"`, are put on the running stack in turns, A B B A, and taken off again.
    """
    from loadtest.lab.compare import compare as held
    from loadtest.lab.saved import read

    if Path(a).exists() and Path(b).exists():
        saved = [read(Path(a)), read(Path(b))]
        lengths = [(float(saved[0].document["seconds"]), float(saved[1].document["seconds"]))]
        document = held([saved[0].requests], [saved[1].requests], lengths, seed)
        emit(document, partial(_show, document, _APART), json_)
        return
    turns = _in_turns(a, b, rate, seconds, rounds, seed, k, run_dir, json_)
    if not turns.a:
        raise typer.Exit(130)
    document = held(turns.a, turns.b, [(turns.seconds, turns.seconds)] * len(turns.a), seed)
    emit(document, partial(_show, document, f"{len(turns.a)} turns each, of {turns.seconds:g} s that count"), json_)
    if turns.interrupted:
        raise typer.Exit(130)


_APART = "two reports at two times: what changed on the machine between them is in the ratio as well"


def _in_turns(
    a: str, b: str, rate: float, seconds: float, rounds: int, seed: int, k: int, run_dir: Path | None, json_: bool
) -> Any:
    from loadtest.lab.measure import measure
    from loadtest.lab.plan import Plan
    from loadtest.lab.turns import AS_IS, checked, configured, in_turns
    from sandbox.runtime.operate.operations import Operations
    from sandbox.runtime.stack import Stack

    for text in (a, b):
        if text != AS_IS and (Path(text).exists() or "=" not in text):
            raise SandboxError(
                "CFG-004", where="load compare", seen=text, expected="two reports, or two of as-is and actions in quotes",
                fix="name two directories that `sandbox load run` left; or see `sandbox act` for actions",
            )  # fmt: skip
    if not 1 <= rounds <= 50:
        raise SandboxError(
            "CFG-004", where="load compare --rounds", seen=rounds, expected="1 to 50", fix="correct the number"
        )
    plan = Plan("poisson", rate, seconds, seed)
    stack = Stack.attach(run_dir)
    stack.require_up()
    operations = Operations(stack.run)
    for text in (a, b):
        checked(text, operations)
    with progress(json_) as say:
        turns = in_turns(
            lambda p: measure(stack.run, p, slate_size=k, telemetry=False),
            lambda text: configured(text, operations), a, b, plan, rounds, say,
        )  # fmt: skip
    if turns.interrupted:
        err.print(f"ended early; kept {len(turns.a)} turns of each")
    return turns


def _show(d: dict[str, Any], note: str) -> None:
    table = Table("", "a", "b", "b / a", "from", "to", "better")
    for name, row in d.items():
        table.add_row(name, *(number(row[c]) for c in ("a", "b", "ratio", "low", "high")), _VERDICTS[row["verdict"]])
    out.print(table)
    out.print(note)


_VERDICTS = {"a": "a", "b": "b", "none": "no difference shown", "too few": "too few to say"}
